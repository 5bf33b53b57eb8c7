import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Binaries } from './binaries.js';
import { PostgresStartError } from './errors/postgres-start.error.js';
import type { Guard } from './guard.js';
import { dataArgument, type Place } from './place.js';
import { serverEnvironment } from './server-environment.js';
import type { UnprivilegedUser } from './unprivileged-user.js';

export const SUPERUSER = 'postgres';

export interface Cluster {
  /** Major version, as "18". */
  version: string;
  password: string;
}

/** Opens the cluster of this place, or makes one. It is made aside and moved in whole: a process killed in the middle, or
 *  two that start together, never leave half of one.
 *  @throws PostgresStartError */
export async function openCluster(
  place: Place,
  binaries: Binaries,
  user: UnprivilegedUser | undefined,
  guard: Guard,
): Promise<Cluster> {
  return (await readCluster(place.data)) ?? (await createCluster(place, binaries, user, guard));
}

async function readCluster(data: string): Promise<Cluster | undefined> {
  try {
    const version = (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim();
    const password = await readFile(passwordFile(data), 'utf8');
    return { version, password };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new PostgresStartError(`its data cannot be read by this user: ${message}`);
  }
}

async function createCluster(
  place: Place,
  binaries: Binaries,
  user: UnprivilegedUser | undefined,
  guard: Guard,
): Promise<Cluster> {
  const aside = await mkdtemp(join(place.directory, 'creating-'));
  guard.deleteAtEnd(aside);
  const data = join(aside, 'data');
  const password = randomBytes(16).toString('hex');
  await mkdir(data, { mode: 0o700 });
  await writeFile(join(aside, 'password'), password, { mode: 0o600 });
  if (user !== undefined) {
    for (const path of [aside, data, join(aside, 'password')]) {
      await chown(path, user.uid, user.gid);
    }
  }
  await runInitdb(binaries, data, place.kept, user, guard);
  await rename(join(aside, 'password'), passwordFile(data));
  try {
    await rename(data, place.data);
  } catch (error) {
    // another process was faster, or the folder holds something else
    if (!['ENOTEMPTY', 'EEXIST', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error;
  }
  await rm(aside, { recursive: true, force: true });
  const cluster = await readCluster(place.data);
  if (cluster === undefined) {
    throw new PostgresStartError(
      `${place.data} exists but was not made by nest-conductor. Choose another directory, or empty it.`,
    );
  }
  return cluster;
}

async function runInitdb(
  { initdb, major }: Binaries,
  data: string,
  sync: boolean,
  user: UnprivilegedUser | undefined,
  guard: Guard,
): Promise<void> {
  const options = [
    ['-D', dataArgument(data, user)],
    ['--username', SUPERUSER],
    ['--pwfile', join('..', 'password')], // relative to the data directory, see dataArgument
    ['--auth', 'scram-sha-256'], // the port is open to every user of this machine
    ['--encoding', 'UTF8'],
    ['--locale', 'C'], // the same order on every machine, no locale needed
    // of the same order, but it knows upper and lower case beyond ASCII
    major >= 17 ? ['--locale-provider', 'builtin', '--builtin-locale', 'C.UTF-8'] : [],
    ['--no-instructions', ...(sync ? [] : ['--no-sync'])],
  ].flat();
  const child = spawn(initdb, options, {
    cwd: data,
    ...(user && { uid: user.uid, gid: user.gid }),
    env: serverEnvironment(),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  if (child.pid !== undefined) guard.watch({ pid: -child.pid, signal: 'SIGKILL' });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (part: string) => (output += part));
  }
  const failure = await new Promise<string | undefined>((resolve) => {
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => {
      resolve(code === 0 ? undefined : `initdb ended with ${signal ?? `code ${code}`}`);
    });
  });
  guard.forget();
  if (failure !== undefined) {
    throw new PostgresStartError(failure, output.trim().split('\n').slice(-10));
  }
}

function passwordFile(data: string): string {
  return join(data, 'conductor-password');
}
