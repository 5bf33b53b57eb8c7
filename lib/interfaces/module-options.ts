import type { Type } from '@nestjs/common';
import type { Injected } from './injected.js';
import type { TaskDefaults } from './task-options.js';

interface PoolOptions {
  /** Connections of this process; a worker has one more for LISTEN and one for its heartbeat. 2 to 100, default 5. */
  poolSize?: number;
}

interface SslOptions {
  /** As of `pg`: `true`, or the options of a TLS socket. */
  ssl?: boolean | object;
}

/** Where the database is: a url, its parts, or the app's own TypeORM DataSource, of which only the options are used. */
export type ConnectionOptions =
  | ({ url: string } & SslOptions & PoolOptions)
  | ({
      host?: string;
      port?: number;
      user?: string;
      password?: string;
      database: string;
    } & SslOptions &
      PoolOptions)
  | ({ dataSource: string } & PoolOptions);

/** A class, whose dependencies are injected, or a factory. What they ask for may be provided by any module of the app. Where any of it is
 *  request-scoped, or the class is, each activation of a handler gets one of its own. */
export type ContextOption = Type<object> | Injected<object>;

export interface QueueOptions {
  /** Handlers of this queue that run at once in this process. 1 to 10,000, default 10. */
  concurrency?: number;
}

export interface TransactionsOptions {
  /** The name of the app's TypeORM DataSource, `'default'` if it has none. It leads to the conductor's database, and its role may use the
   *  conductor's schema. */
  dataSource: string;
  /** How long such a transaction may go without a statement before Postgres ends it: a process that stands still must not keep what it has
   *  locked. A connection with an `idle_in_transaction_session_timeout` of its own keeps that. 100 ms to 1 h, default `'5s'`. */
  idleTimeout?: number | string;
}

/** What `ConductorModule.forRoot` takes. Every duration is a number of milliseconds, or a string such as `'30s'`. */
export interface ConductorModuleOptions {
  connection: ConnectionOptions;
  /** The conductor's own schema. Default `'conductor'`. */
  schema?: string;
  /** `auto`: install and upgrade at boot. `verify`: refuse to boot when a migration is pending. `off`: only look whether the
   *  schema's version fits. Default `auto`. */
  migrations?: 'auto' | 'verify' | 'off';
  /** `all`: invoke and run tasks. `worker`: the same, and refuse to boot without a task. `client`: never claim. Default `all`. */
  role?: 'all' | 'worker' | 'client';
  /** Whether the worker starts with the app; false: by `Orchestrator.start()`. Default true. */
  autoStart?: boolean;
  /** The queues this process serves; only these, where it is given. Default `{ default: { concurrency: 10 } }`. */
  queues?: Record<string, QueueOptions>;
  /** What tasks have that do not say otherwise. */
  defaults?: TaskDefaults;
  /** A worker that did not renew for this long is taken for dead, and its executions go to others. 1 s to 1 h, default `'30s'`. */
  lease?: number | string;
  /** `soft`: from here on handlers' signals are aborted, default `'20s'`. `hard`: handlers are left behind, default `'25s'`. */
  shutdown?: { soft?: number | string; hard?: number | string };
  /** Whether to hear of new work by LISTEN, on a connection of its own. False: by the heartbeat only, once a second. Default true. */
  listen?: boolean;
  /** Whose transactions transactional steps use. Default: the DataSource of `connection`, if that names one. */
  transactions?: TransactionsOptions;
  /** Members to add to every handler's context. */
  context?: ContextOption;
}

/** The options with their defaults; durations in ms. */
export interface ResolvedOptions {
  connection: ConnectionOptions;
  poolSize: number;
  schema: string;
  migrations: 'auto' | 'verify' | 'off';
  role: 'all' | 'worker' | 'client';
  autoStart: boolean;
  queues: Record<string, { concurrency: number }>;
  defaults: TaskDefaults;
  lease: number;
  shutdown: { soft: number; hard: number };
  listen: boolean;
  transactions?: { dataSource: string; idleTimeout: number };
  context?: ContextOption;
}
