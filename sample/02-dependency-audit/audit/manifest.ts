import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const licence = z.union([z.string(), z.object({ type: z.string() }).transform(({ type }) => type)]);

const manifest = z
  .object({
    name: z.string().min(1),
    version: z.string().min(1),
    license: licence.optional().catch(undefined),
    // how it was written before 2014, and still is by some
    licenses: z
      .union([licence.transform((one) => [one]), z.array(licence)])
      .optional()
      .catch(undefined),
  })
  .transform(({ name, version, license, licenses }) => ({
    name,
    version,
    declared: license ?? licenses?.join(' OR '),
  }));

/** What an audit wants to know of a package.json; `declared` is its licence in its own words. */
export type Manifest = z.output<typeof manifest>;

/** @throws if there is none, or if it has no name or version */
export async function readManifest(folder: string): Promise<Manifest> {
  return manifest.parse(await readJson(folder));
}

export async function isPackage(folder: string): Promise<boolean> {
  try {
    return manifest.safeParse(await readJson(folder)).success;
  } catch {
    return false; // a folder in node_modules need not be a package: some tools keep theirs there
  }
}

async function readJson(folder: string): Promise<unknown> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
}
