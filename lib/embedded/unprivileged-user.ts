import { readFileSync, statSync } from 'node:fs';
import { PostgresStartError } from './errors/postgres-start.error.js';

export interface UnprivilegedUser {
  name: string;
  uid: number;
  gid: number;
}

/** In this order: the first is made for the purpose, the second is everywhere. */
const NAMES = ['postgres', '_postgres', 'nobody'];

/** Whom Postgres, which refuses to run as root, runs as instead; undefined where this process is not root.
 *  Data that exist already keep their owner, so that a directory made by an ordinary user also serves root.
 *  @throws PostgresStartError if the system has no such user */
export function unprivilegedUser(dataDirectory: string): UnprivilegedUser | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const users = systemUsers();
  const owner = statSync(dataDirectory, { throwIfNoEntry: false });
  if (owner !== undefined && owner.uid !== 0) {
    const { uid, gid } = owner;
    return users.find((user) => user.uid === uid) ?? { name: `uid ${uid}`, uid, gid };
  }
  const user = NAMES.map((name) => users.find((candidate) => candidate.name === name)).find(
    (candidate) => candidate !== undefined,
  );
  if (user === undefined) {
    throw new PostgresStartError(
      `it refuses to run as root, and there is no user "postgres" or "nobody" to run it as. Create one ` +
        `("useradd --system postgres"), run this program as an ordinary user, or set DATABASE_URL.`,
    );
  }
  return user;
}

// initdb looks its own user up by name, so a bare number that /etc/passwd does not know would not do
function systemUsers(): UnprivilegedUser[] {
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
}
