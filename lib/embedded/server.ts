import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataDirectoryInUseError } from './errors/data-directory-in-use.error.js';
import { PostgresStartError } from './errors/postgres-start.error.js';
import type { Guard } from './guard.js';
import { dataArgument, type Place } from './place.js';
import { postmasterFile, readPostmasterFile } from './postmaster-file.js';
import { serverEnvironment } from './server-environment.js';
import type { UnprivilegedUser } from './unprivileged-user.js';

/** A start takes 0.1 s. After a crash the log is replayed first; that of a busy development database takes seconds. */
const READY_WITHIN_MS = 60_000;
/** How long a fast shutdown may take before the immediate one, which leaves recovery to the next start. */
const STOP_WITHIN_MS = 10_000;
const POLL_MS = 10;

/** A running Postgres server, child of this process. */
export class Server {
  /** Why it is no longer running. */
  private ended: string | undefined;
  private readonly end: Promise<void>;

  private constructor(
    private readonly child: ChildProcess,
    private readonly guard: Guard,
  ) {
    this.end = new Promise((resolve) => {
      const settle = (reason: string) => {
        this.ended = reason;
        guard.forget();
        resolve();
      };
      child.on('error', (error) => settle(error.message));
      child.on('exit', (code, signal) =>
        settle(`the server ended with ${signal ?? `code ${code}`}`),
      );
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Resolves when the server takes connections.
   *  @throws PostgresStartError, DataDirectoryInUseError */
  static async start(
    postgres: string,
    place: Place,
    settings: Record<string, string>,
    user: UnprivilegedUser | undefined,
    guard: Guard,
  ): Promise<Server> {
    // a file and not a pipe: a program that is busy or stopped in a debugger would not read, and block the server.
    // a new one each time: of two servers that start together, neither loses its lines to the other
    rmSync(place.logFile, { force: true });
    const log = openSync(place.logFile, 'ax+');
    try {
      const child = spawn(
        postgres,
        [
          '-D',
          dataArgument(place.data, user),
          ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
        ],
        {
          cwd: place.data,
          ...(user && { uid: user.uid, gid: user.gid }),
          env: serverEnvironment(),
          stdio: ['ignore', log, log],
          detached: true, // Ctrl-C must not take the database from a program that is still finishing its work
        },
      );
      const server = new Server(child, guard);
      if (child.pid !== undefined) {
        const signal = place.kept ? 'SIGINT' : 'SIGQUIT';
        guard.watch({ pid: child.pid, signal, pidFile: postmasterFile(place.data) });
      }
      await server.waitUntilReady(place, () => lastLines(log));
      child.unref();
      return server;
    } finally {
      closeSync(log);
    }
  }

  /** Fast shutdown: open transactions are rolled back, connections closed, everything written. */
  async stop(): Promise<void> {
    if (this.ended !== undefined) return this.end;
    this.child.ref();
    this.child.kill('SIGINT');
    const impatience = setTimeout(() => this.child.kill('SIGQUIT'), STOP_WITHIN_MS);
    await this.end;
    clearTimeout(impatience);
  }

  private async waitUntilReady(place: Place, output: () => string[]): Promise<void> {
    const deadline = performance.now() + READY_WITHIN_MS;
    for (;;) {
      if (this.ended !== undefined) throw await this.failure(place, this.ended, output());
      const file = await readPostmasterFile(place.data);
      if (file?.pid === this.pid && file?.status === 'ready') return;
      if (performance.now() > deadline) {
        await this.stop();
        throw new PostgresStartError(`not ready within ${READY_WITHIN_MS / 1_000} s.`, output());
      }
      await sleep(POLL_MS);
    }
  }

  private async failure(place: Place, reason: string, output: string[]): Promise<Error> {
    if (output.some((line) => line.includes('lock file "postmaster.pid" already exists'))) {
      return new DataDirectoryInUseError(
        place.directory,
        (await readPostmasterFile(place.data))?.pid,
      );
    }
    return new PostgresStartError(reason, output);
  }
}

function lastLines(log: number): string[] {
  return readFileSync(log, 'utf8').trim().split('\n').slice(-10);
}
