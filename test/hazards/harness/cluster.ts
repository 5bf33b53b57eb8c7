import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { startPostgres, type RunningPostgres } from '../../../lib/embedded/index.js';

export type Query = <T = unknown>(sql: string, parameters?: unknown[]) => Promise<T[]>;

export interface ClusterOptions {
  /** Needed only where Postgres itself, or its machine, is crashed. */
  fsync: boolean;
}

/** What the engine's own connections are called in pg_stat_activity. */
const ENGINE_APPLICATION = 'nest-conductor';

const PAUSE_MS = 20;
const BACKENDS_BOUND_MS = 10_000;

/** A server of this run's own with two databases: the engine's, and that of the effect ledger. */
export class Cluster {
  private constructor(
    private readonly server: RunningPostgres,
    private readonly names: { engine: string; ledger: string },
    private readonly admin: pg.Pool,
    private readonly pools: { engine: pg.Pool; ledger: pg.Pool },
  ) {}

  static async open({ fsync }: ClusterOptions): Promise<Cluster> {
    const server = await startPostgres({
      fsync,
      settings: { max_connections: '200' },
      log: () => undefined,
    });
    // with DATABASE_URL the server is not ours, and others may use it
    const suffix = randomBytes(4).toString('hex');
    const names = { engine: `hazard_engine_${suffix}`, ledger: `hazard_ledger_${suffix}` };
    const admin = poolOf(server.url);
    for (const name of Object.values(names)) await admin.query(`create database ${name}`);
    const pools = {
      engine: poolOf(urlOf(server.url, names.engine)),
      ledger: poolOf(urlOf(server.url, names.ledger)),
    };
    return new Cluster(server, names, admin, pools);
  }

  get engineUrl(): string {
    return urlOf(this.server.url, this.names.engine);
  }

  get ledgerUrl(): string {
    return urlOf(this.server.url, this.names.ledger);
  }

  readonly engine: Query = (sql, parameters) => rowsOf(this.pools.engine, sql, parameters);

  readonly ledger: Query = (sql, parameters) => rowsOf(this.pools.ledger, sql, parameters);

  /** Deadlocks of the engine's database since it was made. A backend may report them as late as at its end, so the engine's
   *  processes have to be gone. */
  async deadlocks(): Promise<number> {
    const end = Date.now() + BACKENDS_BOUND_MS;
    while ((await this.engineBackends()) > 0 && Date.now() < end)
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const [row] = await rowsOf<{ deadlocks: number }>(
      this.admin,
      `select deadlocks::int from pg_stat_database where datname = $1`,
      [this.names.engine],
    );
    return row!.deadlocks;
  }

  /** Ends every connection of the engine, the client's as well. Returns how many. */
  async terminateBackends(which = ''): Promise<number> {
    const rows = await rowsOf(
      this.admin,
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = $1 and application_name = $2 and query ilike $3`,
      [this.names.engine, ENGINE_APPLICATION, `${which}%`],
    );
    return rows.length;
  }

  /** Holds the strongest lock there is on a table of the engine's meanwhile. */
  async whileLocked<T>(table: string, act: () => Promise<T>): Promise<T> {
    const session = await this.pools.engine.connect();
    try {
      await session.query(`begin; lock table ${table} in access exclusive mode`);
      return await act();
    } finally {
      await session.query('rollback');
      session.release();
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.pools.engine.end(), this.pools.ledger.end()]);
    for (const name of Object.values(this.names))
      await this.admin.query(`drop database if exists ${name} with (force)`);
    await this.admin.end();
    await this.server.stop();
  }

  private async engineBackends(): Promise<number> {
    const [row] = await rowsOf<{ count: number }>(
      this.admin,
      `select count(*)::int from pg_stat_activity where datname = $1 and application_name = $2`,
      [this.names.engine, ENGINE_APPLICATION],
    );
    return row!.count;
  }
}

function poolOf(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: 4 });
  pool.on('error', () => undefined); // a hazard may end connections on purpose
  return pool;
}

async function rowsOf<T>(pool: pg.Pool, sql: string, parameters?: unknown[]): Promise<T[]> {
  return (await pool.query(sql, parameters)).rows as T[];
}

function urlOf(server: string, database: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  return url.href;
}
