import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { startPostgres, type RunningPostgres } from '../../../lib/embedded/index.js';
import type { Query } from './cluster.js';

const IN_USE = '55006';
const COPY_TRIES = 4;

/** A server whose databases are copies of one another: what one crash left is where many trials begin. A copy takes 50 ms. */
export class CopiedDatabases {
  private readonly suffix = randomBytes(4).toString('hex');
  private readonly made = new Set<string>();
  private count = 0;

  private constructor(
    private readonly server: RunningPostgres,
    private readonly admin: pg.Pool,
  ) {}

  static async open(): Promise<CopiedDatabases> {
    const server = await startPostgres({
      fsync: false,
      settings: { max_connections: '300' },
      log: () => undefined,
    });
    const admin = new pg.Pool({ connectionString: server.url, max: 4 });
    admin.on('error', () => undefined); // the server may be stopped before the last one has left
    return new CopiedDatabases(server, admin);
  }

  /** Nobody may be connected to the original; who still is has to be on the point of leaving. @returns the copy's name */
  async copy(original = 'template1'): Promise<string> {
    const name = `trial_${this.suffix}_${(this.count += 1)}`;
    for (let tries = 1; ; tries += 1) {
      try {
        await this.admin.query(`create database ${name} template ${original}`);
        this.made.add(name);
        return name;
      } catch (error) {
        // Postgres waits 5 s for others to leave
        if ((error as { code?: string }).code !== IN_USE || tries === COPY_TRIES) throw error;
      }
    }
  }

  /** Waits for a checkpoint: worth it only where disk space runs short. */
  async drop(name: string): Promise<void> {
    await this.admin.query(`drop database if exists ${name} with (force)`);
    this.made.delete(name);
  }

  url(name: string): string {
    const url = new URL(this.server.url);
    url.pathname = `/${name}`;
    return url.href;
  }

  /** With a connection of its own, that is gone when this resolves. */
  async using<T>(name: string, act: (query: Query) => Promise<T>): Promise<T> {
    const client = new pg.Client({ connectionString: this.url(name) });
    client.on('error', () => undefined); // where a run is given up
    await client.connect();
    try {
      return await act(
        async <R>(sql: string, parameters?: unknown[]) =>
          (await client.query(sql, parameters)).rows as R[],
      );
    } finally {
      await client.end();
    }
  }

  async deadlocks(name: string): Promise<number> {
    const { rows } = await this.admin.query<{ deadlocks: number }>(
      'select deadlocks::int from pg_stat_database where datname = $1',
      [name],
    );
    return rows[0]!.deadlocks;
  }

  async close(): Promise<void> {
    // they go with the server, if it is ours
    if (process.env['DATABASE_URL'] !== undefined)
      for (const name of this.made) await this.drop(name);
    await this.admin.end();
    await this.server.stop();
  }
}
