import { checkInjected } from './common/injected-option.js';
import { OptionReader } from './common/option-reader.js';
import { shown } from './common/shown.js';
import { readConnection } from './conductor.connection-options.js';
import { nameProblem } from './contracts/task-name.js';
import { InvalidOptionsError } from './errors/options.error.js';
import { LONGEST_TIMEOUT } from './common/duration.js';
import { retentionOptionProblems } from './execution/retention-policy.js';
import { retryOptionProblems } from './execution/retry-policy.js';
import type { RetentionOptions } from './interfaces/retention-options.js';
import type { RetryOptions } from './interfaces/retry-options.js';
import type {
  ConnectionOptions,
  ContextOption,
  ResolvedOptions,
} from './interfaces/module-options.js';

const CONCURRENCY = 10;
const LEASE_MS = 30_000;
const SOFT_MS = 20_000;
const HARD_MS = 25_000;
const IDLE_TIMEOUT_MS = 5_000;

const known = [
  'connection',
  'schema',
  'migrations',
  'role',
  'autoStart',
  'queues',
  'defaults',
  'lease',
  'shutdown',
  'listen',
  'transactions',
  'context',
];

/**
 * Checks the module's options and fills in the defaults. They come from configuration at run time, so nothing is taken on trust.
 *
 * @throws InvalidOptionsError that lists every problem
 */
export function resolveOptions(options: unknown): ResolvedOptions {
  const problems: string[] = [];
  const reader = OptionReader.open(options, '', problems);
  const resolved = reader && resolve(reader);
  if (resolved === undefined || problems.length > 0) throw new InvalidOptionsError(problems);
  return resolved;
}

function resolve(options: OptionReader): ResolvedOptions {
  options.onlyKnown(known);
  const context = readContext(options);
  const connection = readConnection(options);
  const transactions = readTransactions(options, connection.connection);
  return {
    ...connection,
    schema: readSchema(options) ?? 'conductor',
    migrations: options.oneOf('migrations', ['auto', 'verify', 'off']) ?? 'auto',
    role: options.oneOf('role', ['all', 'worker', 'client']) ?? 'all',
    autoStart: options.boolean('autoStart') ?? true,
    queues: readQueues(options),
    defaults: readDefaults(options),
    lease: options.duration('lease', '1s', '1h') ?? LEASE_MS,
    shutdown: readShutdown(options),
    listen: options.boolean('listen') ?? true,
    ...(transactions !== undefined && { transactions }),
    ...(context !== undefined && { context }),
  };
}

function readSchema(options: OptionReader): string | undefined {
  const { schema } = options.given;
  if (schema === undefined) return undefined;
  if (typeof schema === 'string' && /^[a-z][a-z0-9_]{0,30}$/.test(schema)) {
    if (!/^(public|information_schema|pg_.*)$/.test(schema)) return schema;
    return options.fail(
      'schema',
      `must be a schema that holds nothing else, and is ${shown(schema)}; leave it out for "conductor"`,
    );
  }
  return options.fail(
    'schema',
    `must be a lower-case letter followed by at most 30 lower-case letters, digits or _, and is ${shown(schema)}`,
  );
}

function readQueues(options: OptionReader): ResolvedOptions['queues'] {
  // without a prototype: a queue may be called "constructor", and one that is not served must not seem to be
  const queues = Object.create(null) as ResolvedOptions['queues'];
  const given = options.nested('queues');
  if (given === undefined) queues.default = { concurrency: CONCURRENCY };
  for (const name of Object.keys(given?.given ?? {})) {
    const problem = nameProblem(name);
    if (problem !== undefined) given!.problems.push(`queues: the name of a queue ${problem}`);
    const queue = OptionReader.open(given!.given[name], given!.at(name), given!.problems);
    queue?.onlyKnown(['concurrency']);
    queues[name] = { concurrency: queue?.integer('concurrency', 1, 10_000) ?? CONCURRENCY };
  }
  if (Object.keys(queues).length === 0 && options.given.role !== 'client') {
    options.fail(
      'queues',
      'names no queue, so nothing would be served; leave it out to serve "default"',
    );
  }
  return queues;
}

function readDefaults(options: OptionReader): ResolvedOptions['defaults'] {
  const defaults = options.nested('defaults');
  defaults?.onlyKnown(['retry', 'timeout', 'retention']);
  const { retry, retention } = defaults?.given ?? {};
  if (retry !== undefined) options.problems.push(...retryOptionProblems(retry, 'defaults.retry'));
  if (retention !== undefined)
    options.problems.push(...retentionOptionProblems(retention, 'defaults.retention'));
  const timeout = defaults?.duration('timeout', '1ms', LONGEST_TIMEOUT);
  return {
    ...(retry !== undefined && { retry: retry as RetryOptions }),
    ...(timeout !== undefined && { timeout }),
    ...(retention !== undefined && { retention: retention as RetentionOptions }),
  };
}

function readShutdown(options: OptionReader): ResolvedOptions['shutdown'] {
  const shutdown = options.nested('shutdown');
  shutdown?.onlyKnown(['soft', 'hard']);
  const hard = shutdown?.duration('hard', '0ms') ?? HARD_MS;
  const soft = shutdown?.duration('soft', '0ms') ?? Math.min(SOFT_MS, hard);
  if (soft > hard) {
    const limit = shutdown?.has('hard') ? shown(shutdown.given.hard) : '25s by default';
    options.problems.push(
      `shutdown.soft is ${shown(shutdown?.given.soft)}, later than shutdown.hard (${limit}): raise hard, or lower soft`,
    );
  }
  return { soft, hard };
}

function readTransactions(
  options: OptionReader,
  connection: ConnectionOptions,
): ResolvedOptions['transactions'] {
  const transactions = options.nested('transactions');
  if (transactions === undefined) {
    return 'dataSource' in connection
      ? { dataSource: connection.dataSource, idleTimeout: IDLE_TIMEOUT_MS }
      : undefined;
  }
  transactions.onlyKnown(['dataSource', 'idleTimeout']);
  const { dataSource } = transactions.given;
  if (typeof dataSource !== 'string' || dataSource === '') {
    transactions.fail(
      'dataSource',
      `must be the name of the app's DataSource ('default' if it has none), and is ${shown(dataSource)}`,
    );
  }
  return {
    dataSource: dataSource as string,
    idleTimeout: transactions.duration('idleTimeout', '100ms', '1h') ?? IDLE_TIMEOUT_MS,
  };
}

function readContext(options: OptionReader): ContextOption | undefined {
  const { context } = options.given;
  // an arrow function has no prototype and cannot be a class
  if (context === undefined || (typeof context === 'function' && 'prototype' in context)) {
    return context as ContextOption | undefined;
  }
  if (typeof context === 'function' || typeof context !== 'object' || context === null) {
    return options.fail(
      'context',
      `must be a class or { inject?, useFactory }, and is ${shown(context)}`,
    );
  }
  const factory = options.nested('context');
  factory?.onlyKnown(['inject', 'useFactory']);
  if (factory !== undefined) checkInjected(factory, 'the members to add');
  return context as ContextOption;
}
