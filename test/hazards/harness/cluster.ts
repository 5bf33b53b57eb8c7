import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { startPostgres, type RunningPostgres } from '../../../lib/embedded/index.js';
import { CrashableServer } from './crashable-server.js';

export type Query = <T = unknown>(sql: string, parameters?: unknown[]) => Promise<T[]>;

export interface ClusterOptions {
  /** Needed only where Postgres itself, or its machine, is crashed. */
  fsync: boolean;
  /** Whether the engine's server is to be crashed: it is the suite's own then, and the ledger has another. */
  crashable?: boolean;
}

/** What the engine's own connections are called in pg_stat_activity. */
const ENGINE_APPLICATION = 'nest-conductor';

const SERVER_SETTINGS = { max_connections: '200' };

const PAUSE_MS = 20;
const BACKENDS_BOUND_MS = 10_000;

/** A server of this run's own with two databases: the engine's, and that of the effect ledger. */
export class Cluster {
  private deadlocksBefore = 0;

  private constructor(
    private readonly servers: {
      engine: CrashableServer | RunningPostgres;
      ledger: RunningPostgres;
    },
    private readonly names: { engine: string; ledger: string },
    private readonly admins: { engine: pg.Pool; ledger: pg.Pool },
    private readonly pools: { engine: pg.Pool; ledger: pg.Pool },
  ) {}

  static async open({ fsync, crashable = false }: ClusterOptions): Promise<Cluster> {
    const ledger = await startPostgres({
      fsync: fsync && !crashable,
      settings: SERVER_SETTINGS,
      log: () => undefined,
    });
    const engine = crashable ? await CrashableServer.start(fsync, SERVER_SETTINGS) : ledger;
    // with DATABASE_URL the server is not ours, and others may use it
    const suffix = randomBytes(4).toString('hex');
    const names = { engine: `hazard_engine_${suffix}`, ledger: `hazard_ledger_${suffix}` };
    const admins = { engine: poolOf(engine.url), ledger: poolOf(ledger.url) };
    await admins.engine.query(`create database ${names.engine}`);
    await admins.ledger.query(`create database ${names.ledger}`);
    const pools = {
      engine: poolOf(urlOf(engine.url, names.engine)),
      ledger: poolOf(urlOf(ledger.url, names.ledger)),
    };
    return new Cluster({ engine, ledger }, names, admins, pools);
  }

  /** Ends the engine's server as a crash would, and starts it again. Resolves when it takes connections.
   *  Of a cluster that is crashable. */
  async crash(): Promise<void> {
    const server = this.servers.engine as CrashableServer;
    this.deadlocksBefore += await server.deadlocksLogged(); // its counters do not survive
    await server.crash();
  }

  get engineUrl(): string {
    return urlOf(this.servers.engine.url, this.names.engine);
  }

  get ledgerUrl(): string {
    return urlOf(this.servers.ledger.url, this.names.ledger);
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
      this.admins.engine,
      `select deadlocks::int from pg_stat_database where datname = $1`,
      [this.names.engine],
    );
    return this.deadlocksBefore + row!.deadlocks;
  }

  /** Ends every connection of the engine, the client's as well. Returns how many. */
  async terminateBackends(which = ''): Promise<number> {
    const rows = await rowsOf(
      this.admins.engine,
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
    for (const which of ['engine', 'ledger'] as const) {
      await this.admins[which].query(`drop database if exists ${this.names[which]} with (force)`);
      await this.admins[which].end();
    }
    await this.servers.engine.stop();
    await this.servers.ledger.stop();
  }

  private async engineBackends(): Promise<number> {
    const [row] = await rowsOf<{ count: number }>(
      this.admins.engine,
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
