import pg from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';
import { Proxy, type CutReply, type Verdict } from './harness/proxy.js';
import { kindOf } from './harness/wire.js';

describe('the proxy in front of Postgres', () => {
  let database: TestDatabase;
  let proxy: Proxy;
  let verdictOf: (kind: string) => Verdict;
  let cuts: CutReply[];
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    database = await createTestDatabase();
    await database.query('create schema conductor');
    await database.query('create table conductor.done (what text)');
    for (const name of ['settle', 'claim'])
      await database.query(
        `create function conductor.${name}(p text) returns setof text language sql as 'insert into conductor.done values (p) returning what'`,
      );
  });

  afterAll(() => database.drop());

  beforeEach(async () => {
    await database.query('truncate conductor.done');
    verdictOf = () => 'pass';
    cuts = [];
    proxy = new Proxy(database.url, {
      judge: ({ kind }) => verdictOf(kind),
      cut: (reply) => cuts.push(reply),
    });
  });

  afterEach(async () => {
    await proxy.close();
    for (const client of clients.splice(0)) await client.end().catch(() => undefined);
  });

  const call = (client: pg.Client, name: string, what: string) =>
    client.query(`select * from "conductor".${name}($1)`, [what]);
  const done = async () =>
    (await database.query<{ what: string }>('select what from conductor.done order by what')).map(
      ({ what }) => what,
    );

  async function connected(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: proxy.url });
    client.on('error', () => undefined);
    clients.push(client);
    await client.connect();
    return client;
  }

  it('lets everything through: large values both ways, errors, simple queries, the end', async () => {
    const client = await connected();
    const large = 'x'.repeat(3_000_000);
    await expect(client.query('select $1::text as large', [large])).resolves.toMatchObject({
      rows: [{ large }],
    });
    await expect(client.query('select 1/0')).rejects.toMatchObject({ code: '22012' });
    await expect(call(client, 'settle', 'a')).resolves.toMatchObject({ rowCount: 1 });
    await client.end();
    await expect(done()).resolves.toEqual(['a']);
  });

  it('passes the server’s end of a connection on', async () => {
    const client = await connected();
    const ended = new Promise((resolve) => client.once('end', () => resolve('ended')));
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    await database.query('select pg_terminate_backend($1)', [rows[0]!.pid]);
    await expect(ended).resolves.toBe('ended');
  });

  it('delays both directions and keeps the order', async () => {
    const client = await connected();
    proxy.mode = { type: 'delay', ms: 100 };
    const began = performance.now();
    const slow = client.query('select 1 as one');
    await slow;
    expect(performance.now() - began).toBeGreaterThanOrEqual(195); // two timers, each rounded down
    const last = client.query('select 2 as two');
    await new Promise((resolve) => setImmediate(resolve));
    proxy.mode = { type: 'pass' };
    await expect(last).resolves.toMatchObject({ rows: [{ two: 2 }] });
  });

  it('in a black hole towards the client carries a statement out and says nothing; that connection stays dead, a new one lives', async () => {
    const client = await connected();
    proxy.mode = { type: 'blackhole', direction: 'toClient' };
    let answered = false;
    call(client, 'settle', 'unheard').then(
      () => (answered = true),
      () => undefined,
    );
    await until(async () => (await done()).length > 0);
    await until(() => proxy.halfOpen === 1);
    proxy.mode = { type: 'pass' };
    await call(await connected(), 'settle', 'with a new one');
    expect(answered).toBe(false);
    expect(proxy.halfOpen).toBe(1);
    await expect(done()).resolves.toEqual(['unheard', 'with a new one']);
  });

  it('in a black hole towards the server nothing arrives, not even a connection', async () => {
    const client = await connected();
    proxy.mode = { type: 'blackhole', direction: 'both' };
    call(client, 'settle', 'vanished').catch(() => undefined);
    await until(() => proxy.halfOpen === 1);
    const refused = new pg.Client({ connectionString: proxy.url, connectionTimeoutMillis: 300 });
    refused.on('error', () => undefined);
    await expect(refused.connect()).rejects.toThrow(/timeout/);
    proxy.mode = { type: 'pass' };
    await call(await connected(), 'settle', 'arrived');
    await expect(done()).resolves.toEqual(['arrived']);
  });

  it('resets what is open, and takes new connections', async () => {
    const client = await connected();
    const waiting = client.query('select pg_sleep(30)');
    setImmediate(() => proxy.reset());
    await expect(waiting).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect((await connected()).query('select 1')).resolves.toMatchObject({ rowCount: 1 });
  });

  it('cuts in place of the reply to one kind of statement, which is committed by then', async () => {
    verdictOf = (kind) => (kind === 'claim' ? 'cutBeforeReply' : 'pass');
    const client = await connected();
    await call(client, 'settle', 'acknowledged');
    await expect(call(client, 'claim', 'cut')).rejects.toMatchObject({ code: 'ECONNRESET' });
    await expect(done()).resolves.toEqual(['acknowledged', 'cut']);
    expect(cuts).toMatchObject([{ kind: 'claim', committed: true, rows: ['cut'] }]);
  });

  it('tells a cut reply of a statement that was refused', async () => {
    verdictOf = () => 'cutBeforeReply';
    const client = await connected();
    await expect(client.query('select 1/0')).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(cuts).toMatchObject([{ kind: 'select', committed: false, rows: [] }]);
  });

  it('holds a statement back, which then never happens', async () => {
    verdictOf = (kind) => (kind === 'settle' ? 'hold' : 'pass');
    const client = await connected();
    call(client, 'settle', 'held').catch(() => undefined);
    await until(() => proxy.halfOpen === 1);
    await call(await connected(), 'claim', 'passed');
    await expect(done()).resolves.toEqual(['passed']);
  });

  it('knows the engine’s functions by their calls', () => {
    expect(kindOf('select * from "conductor".save_steps($1, $2)')).toBe('save_steps');
    expect(kindOf('listen "conductor_1"')).toBe('listen');
    expect(kindOf('select 1')).toBe('select');
  });
});
