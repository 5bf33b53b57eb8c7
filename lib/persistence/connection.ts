import type { Pool } from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { DeadlineClient } from './deadline-client.js';

/** Where the database is: as the module's options say, or as the app's own DataSource has it. */
export type ConnectionTarget =
  | { url: string; ssl?: unknown }
  | {
      host?: string;
      port?: number;
      user?: string;
      password?: string;
      database: string;
      ssl?: unknown;
    }
  | { dataSource: DataSourceOptions };

export interface PoolSettings {
  poolSize: number;
  /** Of these, how many stay open while they are idle. */
  kept: number;
  schema: string;
}

type PostgresOptions = Extract<DataSourceOptions, { type: 'postgres' }>;

/** Our transactions are short, and what is acknowledged must be on disk whatever the role's defaults say. Sent with the
 *  start-up packet, so that a connection never works without them. */
const sessionSettings = [
  'synchronous_commit=on',
  'default_transaction_isolation=read\\ committed',
  'statement_timeout=10s',
  'lock_timeout=5s',
  'idle_in_transaction_session_timeout=10s',
];

/** The options of a data source of our own, without entities: only how to connect. */
export function dataSourceOptions(
  target: ConnectionTarget,
  { poolSize, kept, schema }: PoolSettings,
  /** Where each of its connections is found while it is open. */
  connections: Set<DeadlineClient>,
): PostgresOptions {
  const { extra, ...where } = withExtra(target);
  return {
    ...where,
    type: 'postgres',
    schema,
    poolSize,
    synchronize: false,
    dropSchema: false,
    migrationsRun: false,
    installExtensions: false,
    logging: false,
    applicationName: 'nest-conductor',
    connectTimeoutMS: 5_000,
    extra: {
      ...extra,
      Client: DeadlineClient,
      connections,
      keepAlive: true,
      min: kept,
      options: sessionSettings.map((setting) => `-c ${setting}`).join(' '),
    },
    poolErrorHandler: () => undefined, // an idle client's lost connection: the next statement finds a new one
  } as PostgresOptions;
}

function withExtra(
  target: ConnectionTarget,
): Partial<PostgresOptions> & { extra?: Record<string, unknown> } {
  if ('dataSource' in target) {
    const { url, host, port, username, password, database, ssl, extra } =
      target.dataSource as PostgresOptions;
    return defined({
      url,
      host,
      port,
      username,
      password,
      database,
      ssl,
      extra: extra as Record<string, unknown>,
    });
  }
  if ('url' in target)
    return defined({ url: target.url, ssl: target.ssl as PostgresOptions['ssl'] });
  const { user, ssl, ...rest } = target;
  return defined({ ...rest, username: user, ssl: ssl as PostgresOptions['ssl'] });
}

function defined<T extends object>(values: T): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T;
}

/** host:port/database, without credentials, for messages. */
export function describeTarget(target: ConnectionTarget): string {
  const options = withExtra(target);
  if (options.url !== undefined) {
    try {
      const url = new URL(options.url);
      return `${url.hostname}:${url.port || '5432'}${url.pathname}`;
    } catch {
      return 'the given url';
    }
  }
  return `${options.host ?? 'localhost'}:${options.port ?? 5432}/${options.database ?? ''}`;
}

/** TypeORM's driver keeps the pool under this name; the one place that knows it. */
export function poolOf(source: DataSource): Pool {
  return (source.driver as unknown as { master: Pool }).master;
}

/** What @nestjs/typeorm provides an app's DataSource under: the default one under its class, others under `<name>DataSource`. */
export function dataSourceToken(name: string): typeof DataSource | string {
  return name === 'default' ? DataSource : `${name}DataSource`;
}
