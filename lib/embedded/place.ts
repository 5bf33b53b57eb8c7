import { existsSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { PostgresStartError } from './errors/postgres-start.error.js';
import type { UnprivilegedUser } from './unprivileged-user.js';

/** Where one Postgres lives on disk. */
export interface Place {
  directory: string;
  /** Postgres's own data directory, below `directory`. */
  data: string;
  logFile: string;
  kept: boolean;
}

/** @param directory kept between runs; undefined: a new one, which its maker has to delete */
export async function openPlace(directory: string | undefined): Promise<Place> {
  if (directory === '') {
    throw new PostgresStartError(
      `the option "directory" is empty. Leave it out for throw-away data.`,
    );
  }
  const kept = directory !== undefined;
  const root = kept ? resolve(directory) : await mkdtemp(join(tmpdir(), 'conductor-postgres-'));
  await mkdir(root, { recursive: true });
  return { directory: root, data: join(root, 'data'), logFile: join(root, 'server.log'), kept };
}

/** How to name a data directory to a process that runs in it as another user. A path below a private home would be closed
 *  to that user. Its working directory is set while it still is root, and from there on needs no path. */
export function dataArgument(data: string, user: UnprivilegedUser | undefined): string {
  const workingDirectory = '/proc/self/cwd';
  return user !== undefined && existsSync(workingDirectory) ? workingDirectory : data;
}
