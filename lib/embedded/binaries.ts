import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { serverEnvironment } from './server-environment.js';
import type { UnprivilegedUser } from './unprivileged-user.js';

/** The programs that make and serve a cluster. */
export interface Binaries {
  initdb: string;
  postgres: string;
  /** Major version, as 18. */
  major: number;
}

const run = promisify(execFile);

/** Both programs of a folder, once they have run. Asking is surer than reading modes: it also finds ACLs, "noexec" and a
 *  foreign C library.
 *  @throws Error if they are not there or do not run as this user */
export async function binariesIn(bin: string, user?: UnprivilegedUser): Promise<Binaries> {
  const { initdb, postgres } = programsIn(bin);
  const { uid, gid } = user ?? {};
  const options = { uid, gid, cwd: '/', env: serverEnvironment(), timeout: 20_000 };
  await run(initdb, ['--version'], options);
  // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
  const { stdout } = await run(postgres, ['--version'], options);
  const [, major] = /\(PostgreSQL\) (\d+)/.exec(stdout) ?? [];
  if (major === undefined) throw new Error(`${postgres} --version says ${stdout.trim()}`);
  return { initdb, postgres, major: Number(major) };
}

export function programsIn(bin: string): Pick<Binaries, 'initdb' | 'postgres'> {
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return { initdb: join(bin, `initdb${suffix}`), postgres: join(bin, `postgres${suffix}`) };
}
