import { createHash } from 'node:crypto';
import type { Content } from './hash-files.js';
import type { Licence } from './licence.js';

/** What an audit finds out about one package. */
export interface PackageAudit extends Content, Licence {
  path: string;
  name: string;
  version: string;
}

export interface Totals {
  packages: number;
  files: number;
  bytes: number;
  /** How many packages have which licence. */
  licences: Record<string, number>;
  /** How many packages have a licence of which kind. */
  kinds: Record<string, number>;
  /** SHA-512 over everything found out about every package. */
  digest: string;
}

export function totalsOf(packages: PackageAudit[]): Totals {
  const lines = packages.map(({ path, name, version, licence, kind, files, bytes, digest }) =>
    JSON.stringify([path, name, version, licence, kind, files, bytes, digest]),
  );
  return {
    packages: packages.length,
    files: sum(packages.map(({ files }) => files)),
    bytes: sum(packages.map(({ bytes }) => bytes)),
    licences: countOf(packages.map(({ licence }) => licence)),
    kinds: countOf(packages.map(({ kind }) => kind)),
    digest: createHash('sha512').update(lines.toSorted().join('\n')).digest('hex'),
  };
}

export function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** How often each value occurs, the most frequent first. */
export function countOf(values: string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const order = ([a, m]: [string, number], [b, n]: [string, number]) => n - m || (a < b ? -1 : 1);
  return Object.fromEntries([...counts].toSorted(order));
}
