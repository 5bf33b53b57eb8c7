import { resolveOptions } from '../../lib/conductor.options.js';
import { InvalidOptionsError } from '../../lib/errors/options.error.js';
import type { ConductorModuleOptions } from '../../lib/interfaces/module-options.js';

const connection = { url: 'postgres://app:hunter2@db:5432/shop' };

function problemsOf(options: unknown): readonly string[] {
  try {
    resolveOptions(options);
  } catch (error) {
    if (error instanceof InvalidOptionsError) return error.problems;
    throw error;
  }
  return [];
}

describe('resolveOptions', () => {
  it('needs nothing but a connection', () => {
    const resolved = resolveOptions({ connection });
    expect({ ...resolved, queues: { ...resolved.queues } }).toStrictEqual({
      connection,
      poolSize: 5,
      schema: 'conductor',
      migrations: 'auto',
      role: 'all',
      autoStart: true,
      queues: { default: { concurrency: 10 } },
      defaults: {},
      lease: 30_000,
      shutdown: { soft: 20_000, hard: 25_000 },
      listen: true,
    });
  });

  it('keeps what was given, with durations in milliseconds', () => {
    class AppContext {}
    const options: ConductorModuleOptions = {
      connection: { dataSource: 'default', poolSize: 2 },
      schema: 'jobs_2',
      migrations: 'verify',
      role: 'worker',
      autoStart: false,
      queues: { emails: { concurrency: 5 }, slow: {} },
      defaults: {
        retry: { maxAttempts: 5, backoff: 'fixed' },
        retention: { completed: '1d', failed: false },
      },
      lease: '10s',
      shutdown: { soft: '1m', hard: 90_000 },
      listen: false,
      context: AppContext,
    };
    const resolved = resolveOptions(options);
    expect({ ...resolved, queues: { ...resolved.queues } }).toStrictEqual({
      transactions: { dataSource: 'default', idleTimeout: 5_000 },
      connection: { dataSource: 'default' },
      poolSize: 2,
      schema: 'jobs_2',
      migrations: 'verify',
      role: 'worker',
      autoStart: false,
      queues: { emails: { concurrency: 5 }, slow: { concurrency: 10 } },
      defaults: {
        retry: { maxAttempts: 5, backoff: 'fixed' },
        retention: { completed: '1d', failed: false },
      },
      lease: 10_000,
      shutdown: { soft: 60_000, hard: 90_000 },
      listen: false,
      context: AppContext,
    });
  });

  it('takes an option that is undefined for one that was left out', () => {
    const options = {
      connection: { ...connection, poolSize: undefined, ssl: undefined },
      schema: undefined,
      lease: undefined,
    };
    expect(resolveOptions(options)).toMatchObject({
      poolSize: 5,
      schema: 'conductor',
      lease: 30_000,
    });
  });

  it('takes every form of connection', () => {
    for (const given of [
      { url: 'postgresql://db/shop', ssl: { ca: 'x' } },
      { url: 'POSTGRES://db/shop' },
      { database: 'shop' },
      { host: '/run/postgresql', port: 6432, user: 'u', password: '', database: 'd', ssl: true },
      { dataSource: 'default' },
    ]) {
      expect(resolveOptions({ connection: given }).connection).toEqual(given);
    }
  });

  it('lets a queue have the name of a member of Object, and serves only what is listed', () => {
    const { queues } = resolveOptions({ connection, queues: { constructor: { concurrency: 1 } } });
    expect(Object.keys(queues)).toEqual(['constructor']);
    expect('toString' in queues).toBe(false);
  });

  it('lowers the default soft deadline to a hard one that comes earlier', () => {
    expect(resolveOptions({ connection, shutdown: { hard: '10s' } }).shutdown).toEqual({
      soft: 10_000,
      hard: 10_000,
    });
    expect(resolveOptions({ connection, shutdown: { soft: 0 } }).shutdown).toEqual({
      soft: 0,
      hard: 25_000,
    });
  });

  it('takes a factory for the context', () => {
    const context = { inject: ['TOKEN', class Service {}], useFactory: () => ({}) };
    expect(resolveOptions({ connection, context }).context).toBe(context);
  });

  it('lets a client name no queue', () => {
    expect(problemsOf({ connection, role: 'client', queues: {} })).toEqual([]);
  });

  it.each<[string, unknown, string | RegExp]>([
    ['no options', undefined, 'the options must be an object, and is undefined'],
    ['no connection', {}, /^connection is missing: give \{ url \}/],
    [
      'a url alone',
      { connection: 'postgres://x' },
      'connection must be an object, and is "postgres://x"',
    ],
    ['an empty connection', { connection: {} }, /^connection\.database is missing: give \{ url \}/],
    [
      'a url that is not set',
      { connection: { url: undefined } },
      /^connection\.url .*undefined.*environment variable/,
    ],
    [
      'another database',
      { connection: { url: 'mysql://db/x' } },
      /^connection\.url must begin with postgres:\/\//,
    ],
    [
      'a url with a bad port',
      { connection: { url: 'postgres://u:p@db:x/d' } },
      /^connection\.url cannot be read.*percent-encoded/,
    ],
    [
      'two forms',
      { connection: { url: 'postgres://db', dataSource: 'd' } },
      /^connection has url and dataSource, which exclude/,
    ],
    [
      'a port that is text',
      { connection: { database: 'd', port: '5432' } },
      'connection.port must be an integer from 1 to 65535, and is "5432"',
    ],
    [
      'an empty host',
      { connection: { database: 'd', host: '' } },
      /^connection\.host must be a string that is not empty/,
    ],
    [
      'a misspelt part',
      { connection: { database: 'd', pasword: 'x' } },
      'unknown option connection.pasword: did you mean connection.password?',
    ],
    [
      'a host beside a url',
      { connection: { url: 'postgres://db', host: 'x' } },
      'unknown option connection.host: there are url, ssl, poolSize',
    ],
    [
      'ssl as text',
      { connection: { ...connection, ssl: 'require' } },
      /^connection\.ssl must be true, false or the options/,
    ],
    [
      'a pool of 1',
      { connection: { ...connection, poolSize: 1 } },
      /^connection\.poolSize must be an integer from 2 to 100 \(while one connection installs/,
    ],
    [
      'a schema with capitals',
      { connection, schema: 'Jobs' },
      /^schema must be a lower-case letter.*"Jobs"/,
    ],
    ['a schema that would end a name', { connection, schema: 'a"; drop' }, /^schema must be/],
    [
      'the app’s schema',
      { connection, schema: 'public' },
      /^schema must be a schema that holds nothing else.*"public"/,
    ],
    ['a schema of Postgres', { connection, schema: 'pg_jobs' }, /^schema must be/],
    ['a long schema', { connection, schema: 'a'.repeat(32) }, /^schema must be/],
    [
      'unknown migrations',
      { connection, migrations: true },
      'migrations must be "auto", "verify" or "off", and is true',
    ],
    [
      'an unknown role',
      { connection, role: 'server' },
      /^role must be "all", "worker" or "client"/,
    ],
    [
      'autoStart as text',
      { connection, autoStart: 'false' },
      'autoStart must be true or false, and is "false"',
    ],
    ['no queue at all', { connection, queues: {} }, /^queues names no queue/],
    [
      'queues as a list',
      { connection, queues: ['a'] },
      'queues must be an object, and is an array',
    ],
    [
      'a queue that is a number',
      { connection, queues: { a: 5 } },
      'queues.a must be an object, and is 5',
    ],
    [
      'no slot',
      { connection, queues: { a: { concurrency: 0 } } },
      'queues.a.concurrency must be an integer from 1 to 10000, and is 0',
    ],
    [
      'a queue option that does not exist',
      { connection, queues: { 'a b': { concurency: 1 } } },
      'unknown option queues["a b"].concurency: did you mean queues["a b"].concurrency?',
    ],
    [
      'a queue without a name',
      { connection, queues: { '': {} } },
      /^queues: the name of a queue must not be empty/,
    ],
    [
      'bad retry defaults',
      { connection, defaults: { retry: { maxAttempts: 0 } } },
      /^defaults\.retry\.maxAttempts must be/,
    ],
    [
      'an unknown default',
      { connection, defaults: { priority: 1 } },
      'unknown option defaults.priority: there are retry, timeout, retention',
    ],
    [
      'bad retention defaults',
      { connection, defaults: { retention: { completed: '-1d' } } },
      'defaults.retention.completed must be at least 0ms, and is "-1d"',
    ],
    [
      'a time-out that no timer holds',
      { connection, defaults: { timeout: '25d' } },
      'defaults.timeout must be from 1ms to 24d, and is "25d"',
    ],
    [
      'a lease without a unit',
      { connection, lease: '30' },
      /^lease: "30" is a duration without a unit/,
    ],
    [
      'a short lease',
      { connection, lease: '500ms' },
      'lease must be from 1s to 1h, and is "500ms"',
    ],
    ['a long lease', { connection, lease: '2h' }, 'lease must be from 1s to 1h, and is "2h"'],
    [
      'soft after hard',
      { connection, shutdown: { soft: '40s', hard: '30s' } },
      /^shutdown\.soft is "40s", later than shutdown\.hard \("30s"\)/,
    ],
    [
      'soft after the default of hard',
      { connection, shutdown: { soft: '40s' } },
      /later than shutdown\.hard \(25s by default\)/,
    ],
    ['listen as a number', { connection, listen: 1 }, 'listen must be true or false, and is 1'],
    [
      'an arrow function for a context',
      { connection, context: () => ({}) },
      'context must be a class or { inject?, useFactory }, and is a function',
    ],
    [
      'a context without a factory',
      { connection, context: { inject: [] } },
      /^context\.useFactory must be a function/,
    ],
    [
      'a context whose inject is no list',
      { connection, context: { inject: 'A', useFactory: () => ({}) } },
      /^context\.inject must be an array/,
    ],
    [
      'a context with a token that is not there',
      { connection, context: { inject: ['A', undefined], useFactory: () => ({}) } },
      /^context\.inject has nothing at index 1/,
    ],
    [
      'transactions of no DataSource',
      { connection, transactions: {} },
      /^transactions\.dataSource must be the name of the app's DataSource/,
    ],
    [
      'transactions that may idle for too long',
      { connection, transactions: { dataSource: 'default', idleTimeout: '2h' } },
      'transactions.idleTimeout must be from 100ms to 1h, and is "2h"',
    ],
    [
      'an option of another name',
      { connection, queue: {} },
      'unknown option queue: did you mean queues?',
    ],
    [
      'an option that does not exist',
      { connection, retention: '7d' },
      /^unknown option retention: there are connection, schema/,
    ],
  ])('refuses %s', (_, options, problem) => {
    expect(problemsOf(options)).toEqual([
      expect.stringMatching(typeof problem === 'string' ? exactly(problem) : problem),
    ]);
  });

  it('takes the transactions of the DataSource that it connects to, unless it is told of which', () => {
    expect(resolveOptions({ connection }).transactions).toBeUndefined();
    expect(resolveOptions({ connection: { dataSource: 'shop' } }).transactions).toEqual({
      dataSource: 'shop',
      idleTimeout: 5_000,
    });
    const transactions = { dataSource: 'other', idleTimeout: '2s' };
    expect(
      resolveOptions({ connection: { dataSource: 'shop' }, transactions }).transactions,
    ).toEqual({ dataSource: 'other', idleTimeout: 2_000 });
  });

  it('lists all problems together', () => {
    const problems = problemsOf({
      connection: { url: 'http://db', poolSize: 0 },
      schema: 'A',
      role: 'boss',
      queues: { a: { concurrency: -1 } },
      lease: 'soon',
      defaults: { retry: { backoff: 'never' } },
      leese: 1,
    });
    expect(problems).toHaveLength(8);
    expect(() => resolveOptions({ connection: {}, lease: 0 })).toThrow(
      /\n {2}- connection.*\n {2}- lease/s,
    );
  });

  it('shows neither url nor password', () => {
    const secrets = { url: 'postgre://u:hunter2@db', password: { secret: 'hunter2' } };
    for (const given of [
      { url: secrets.url },
      { url: 'postgres://u:hunter2@db:x' },
      { database: 'd', password: secrets.password },
      { database: 'd', password: 42_4242 },
    ]) {
      expect(problemsOf({ connection: given })).toHaveLength(1);
      expect(problemsOf({ connection: given }).join()).not.toMatch(/hunter2|424242/);
    }
  });
});

function exactly(text: string): RegExp {
  return new RegExp(`^${text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}$`);
}
