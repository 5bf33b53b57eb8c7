import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../../../lib/embedded/embedded-postgres.js';
import type { RunningPostgres } from '../../../lib/embedded/index.js';

/** A Postgres of the suite's own, whatever DATABASE_URL says, that survives its crashes: it keeps data and port. */
export class CrashableServer {
  private constructor(
    private running: RunningPostgres,
    private readonly directory: string,
    private readonly start: (port?: number) => Promise<RunningPostgres>,
  ) {}

  static async start(fsync: boolean, settings: Record<string, string>): Promise<CrashableServer> {
    const directory = await mkdtemp(join(tmpdir(), 'hazard-postgres-'));
    const start = (port?: number) =>
      startEmbeddedPostgres(
        { directory, fsync, settings, ...(port !== undefined && { port }) },
        () => undefined,
      );
    return new CrashableServer(await start(), directory, start);
  }

  get url(): string {
    return this.running.url;
  }

  /** As `pg_ctl restart -m immediate`: connections are dropped, nothing is written, the log is replayed at the start. */
  async crash(): Promise<void> {
    process.kill(this.running.pid!, 'SIGQUIT');
    await this.running.stop();
    this.running = await this.start(Number(new URL(this.url).port));
  }

  /** Since its last start. */
  async deadlocksLogged(): Promise<number> {
    const log = await readFile(join(this.directory, 'server.log'), 'utf8');
    return log.split('deadlock detected').length - 1;
  }

  async stop(): Promise<void> {
    await this.running.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}
