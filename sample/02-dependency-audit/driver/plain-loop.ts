import { join } from 'node:path';
import { findPackages } from '../audit/find-packages.js';
import { hashFiles } from '../audit/hash-files.js';
import { classifyLicence } from '../audit/licence.js';
import { readManifest } from '../audit/manifest.js';
import { totalsOf, type PackageAudit, type Totals } from '../audit/totals.js';

/** The same audit without the engine: one process, one package after the other, and nothing goes wrong. */
export async function auditInAPlainLoop(root: string): Promise<Totals> {
  const packages: PackageAudit[] = [];
  for (const path of await findPackages(root)) {
    const { name, version, declared } = await readManifest(join(root, path));
    const content = await hashFiles(join(root, path));
    packages.push({ path, name, version, ...classifyLicence(declared), ...content });
  }
  return totalsOf(packages);
}
