import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isPackage } from './manifest.js';

/** The folders of all packages installed below a root, scoped and nested ones included, in alphabetical order and relative
 *  to the root. What is linked there instead of installed lies elsewhere, and is not followed. */
export async function findPackages(root: string): Promise<string[]> {
  const found = await packagesIn(root, 'node_modules');
  return found.toSorted();
}

async function packagesIn(root: string, folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await foldersIn(join(root, folder))) {
    if (name.startsWith('.')) continue; // npm's own folders, and caches of tools
    const path = join(folder, name);
    if (name.startsWith('@')) found.push(...(await packagesIn(root, path)));
    else {
      if (await isPackage(join(root, path))) found.push(path);
      found.push(...(await packagesIn(root, join(path, 'node_modules'))));
    }
  }
  return found;
}

async function foldersIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
