import { join, resolve } from 'node:path';
import { binariesIn, type Binaries } from './binaries.js';
import { PostgresBinariesMissingError } from './errors/postgres-binaries-missing.error.js';
import { PostgresStartError } from './errors/postgres-start.error.js';
import type { Guard } from './guard.js';
import { findNative, prepareNative } from './package-binaries.js';
import {
  findSystemBinaries,
  OLDEST_MAJOR,
  usualFolders,
  type SystemSearch,
} from './system-binaries.js';
import type { UnprivilegedUser } from './unprivileged-user.js';

/** Where to look for Postgres. */
export interface BinarySearch {
  /** Modules from which the npm package is looked up. */
  packageFrom: (string | URL)[];
  system: SystemSearch;
}

/** What was found, and how to make it ready for the user who will run it. */
export interface BinarySource {
  name: 'embedded' | 'system';
  /** @throws PostgresStartError if they do not run */
  prepare(user: UnprivilegedUser | undefined, guard: Guard): Promise<Binaries>;
}

/** From this package, then from the app; then on this machine. */
export function defaultSearch(): BinarySearch {
  return {
    packageFrom: [import.meta.url, join(process.cwd(), 'package.json')],
    system: { env: process.env, folders: usualFolders() },
  };
}

/** The folder that was asked for, else the npm package, whose version is the app's own choice, else what the machine has.
 *  @throws PostgresBinariesMissingError */
export async function findBinaries(
  bin: string | undefined,
  search: BinarySearch,
): Promise<BinarySource> {
  if (bin !== undefined) return ofSystem(resolve(bin));
  const found = findNative(search.packageFrom);
  if ('native' in found) {
    return { name: 'embedded', prepare: (user, guard) => prepareNative(found.native, user, guard) };
  }
  const system = await findSystemBinaries(search.system);
  if (system.bin !== undefined) return ofSystem(system.bin);
  throw new PostgresBinariesMissingError(found.missing, OLDEST_MAJOR, system);
}

function ofSystem(bin: string): BinarySource {
  const prepare = async (user: UnprivilegedUser | undefined) => {
    const binaries = await binariesIn(bin, user).catch((error: Error) => {
      const who = user === undefined ? '' : ` as user ${user.name}`;
      throw new PostgresStartError(
        `the programs in ${bin} do not run${who}: ${error.message.trim()}`,
      );
    });
    if (binaries.major >= OLDEST_MAJOR) return binaries;
    throw new PostgresStartError(
      `${bin} holds version ${binaries.major}; it has to be ${OLDEST_MAJOR} or newer.`,
    );
  };
  return { name: 'system', prepare };
}
