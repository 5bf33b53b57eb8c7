import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Inject, Injectable, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { IsString } from 'class-validator';
import { DataSource, type EntityManager } from 'typeorm';
import { v5 as derivedUuid } from 'uuid';
import {
  Conductor,
  defineTask,
  Task,
  TransactionAbortedError,
  type TaskContext,
  type TaskEvent,
  type TaskRequest,
} from '../../../lib/index.js';
import { Proxy, type Verdict } from '../../hazards/harness/proxy.js';
import { Gate } from '../../support/gate.js';
import { openTransactions } from '../../support/open-transactions.js';
import { testApps, type TestAppOptions } from '../../support/test-app.js';
import { until } from '../../support/until.js';

class Parcel {
  @IsString()
  name!: string;
}
const ship = defineTask({ name: 'ship', queue: 'ships', payload: Parcel });

/** Of another queue than who asks. */
@Injectable()
class Shipping {
  static shipped: string[] = [];
  @Task(ship)
  async ship({ payload }: TaskEvent<typeof ship>) {
    Shipping.shipped.push(payload instanceof Parcel ? payload.name : 'no Parcel');
  }
}
const queues = { default: { concurrency: 5 }, ships: { concurrency: 5 } };
const quick = { maxAttempts: 3, backoff: { type: 'fixed', delay: 1, jitter: 0 } } as const;

const apps = testApps();

beforeEach(async () => {
  Shipping.shipped = [];
  await apps.database.query('create table orders (name text primary key)');
});

async function start(
  providers: TestAppOptions['providers'] = [Shipping],
  { url = apps.database.url, extra, ...rest }: Partial<TestAppOptions> & { extra?: object } = {},
) {
  const { app, conductor } = await apps.start({
    providers,
    queues,
    modules: [TypeOrmModule.forRoot({ type: 'postgres', url, extra })],
    ...rest,
  });
  return { app, conductor, source: app.get(DataSource) };
}

const save = (em: EntityManager, name: string) =>
  em.query('insert into orders (name) values ($1)', [name]);
const saved = async () =>
  (await apps.database.query<{ name: string }>('select name from orders order by name')).map(
    ({ name }) => name,
  );
const accepted = async (conductor: Conductor) =>
  (await conductor.list({ task: 'ship' })).items.map(({ payload }) => payload);

describe('a process that is killed, and a connection that is cut', () => {
  it.each([
    ['after the write', 0],
    ['after the enqueue', 0],
    ['after the commit', 1],
  ])(
    'G6 kill -9 %s: the row and the execution both exist, or neither',
    async (moment, count) => {
      const { conductor } = await start();
      const killed = await promisify(execFile)(
        process.execPath,
        [
          '--import',
          '@swc-node/register/esm-register',
          fileURLToPath(new URL('../../fixtures/killed-transaction.ts', import.meta.url)),
          apps.database.url,
          moment,
        ],
        { env: { ...process.env, NODE_OPTIONS: '' } },
      ).catch((error: { signal?: string }) => error);
      expect(killed).toMatchObject({ signal: 'SIGKILL' });
      await until(async () => (await openTransactions(apps.database)) === 0);
      expect(await saved()).toEqual([moment].slice(0, count));
      expect(await accepted(conductor)).toHaveLength(count);
    },
    60_000,
  );

  it.each([
    ['commit', 'cutBeforeReply', 1],
    ['commit', 'hold', 0],
    ['enqueue_within', 'cutBeforeReply', 0],
    ['enqueue_within', 'hold', 0],
  ] as const)(
    'G6 FC3 %s, %s: the caller has an error, the row and the execution both exist or neither',
    async (kind, verdict, count) => {
      let armed = false;
      const judge = (request: { kind: string }): Verdict =>
        armed && request.kind === kind ? verdict : 'pass';
      const proxy = new Proxy(apps.database.url, { judge });
      apps.keep(proxy);
      const { source } = await start([], { url: proxy.url, extra: { query_timeout: 500 } });
      const { conductor } = await apps.start({ providers: [Shipping], queues });
      armed = true;
      const failing = source.transaction(async (em) => {
        await save(em, 'a');
        await conductor.using(em).invoke(ship, { name: 'a' });
      });
      const error = await failing.catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(kind === 'commit' ? Error : TransactionAbortedError);
      armed = false;
      proxy.reset();
      await until(async () => (await openTransactions(apps.database)) === 0);
      expect(await saved()).toEqual(['a'].slice(0, count));
      expect(await accepted(conductor)).toHaveLength(count);
    },
  );
});

describe('programs', () => {
  it('a client enqueues for another process’s queue, whose handler gets an instance of the DTO', async () => {
    const { conductor, source } = await start([], { role: 'client' });
    await start();
    const { id } = await source.transaction((em) =>
      conductor.using(em).invoke(ship, { name: 'a' }),
    );
    await expect(conductor.handle(id).wait({ timeout: '20s' })).resolves.toMatchObject({
      status: 'completed',
      queue: 'ships',
    });
    expect(Shipping.shipped).toEqual(['a']);
    await source.transaction(async (em) => {
      const refused = conductor.using(em).invoke(ship, { name: 1 } as never);
      await expect(refused).rejects.toMatchObject({ code: 'CONDUCTOR_PAYLOAD_INVALID' });
      await save(em, 'goes on');
    });
    expect(await saved()).toEqual(['goes on']);
  });

  it('a handler without steps enqueues under an id that follows from its own: once, however often it runs', async () => {
    let runs = 0;
    @Injectable()
    class Tasks {
      constructor(
        private readonly source: DataSource,
        private readonly conductor: Conductor,
      ) {}
      @Task('place', { retry: quick })
      async place(_event: unknown, ctx: TaskContext) {
        runs += 1;
        const outcome = await this.source.transaction(async (em) => {
          await save(em, `run ${runs}`);
          const id = derivedUuid('ship', ctx.executionId);
          return (await this.conductor.using(em).invoke(ship, { name: 'a' }, { id })).outcome;
        });
        if (ctx.attempt < 3) throw new Error(outcome);
        return outcome;
      }
    }
    const { conductor } = await start([Shipping, Tasks]);
    const placed = await conductor.invokeAndWait({ name: 'place' }, 0, { timeout: '20s' });
    expect(placed).toBe('existing');
    expect(await accepted(conductor)).toHaveLength(1);
    expect(await saved()).toEqual(['run 1', 'run 2', 'run 3']);
  });

  it('a transactional step of an attempt that has lost its lease has enqueued nothing', async () => {
    const gates = [new Gate(), new Gate()];
    let bodies = 0;
    @Injectable()
    class Tasks {
      constructor(private readonly conductor: Conductor) {}
      @Task('place')
      async place(_event: unknown, ctx: TaskContext) {
        return await ctx.transaction('place', async (em) => {
          const body = (bodies += 1);
          await this.conductor.using(em).invoke(ship, { name: `${body}` });
          await gates[body - 1]!.pass();
          return body;
        });
      }
    }
    const { conductor } = await start([Shipping, Tasks], {
      transactions: { dataSource: 'default' },
    });
    const handle = await conductor.invoke({ name: 'place' });
    await gates[0]!.reached;
    // as recovery does when the lease is over
    await apps.database.query(
      `update conductor.run set status = 0, token = null, worker_id = null, started = false where id = $1`,
      [handle.id],
    );
    await gates[1]!.reached;
    for (const gate of gates) gate.open();
    await expect(handle.result({ timeout: '20s' })).resolves.toBe(2);
    await until(async () => (await openTransactions(apps.database)) === 0);
    expect(await accepted(conductor)).toEqual([{ name: '2' }]);
  });

  it('a step of its own fails after its enqueue, is caught, and the handler sleeps and enqueues again', async () => {
    @Injectable()
    class Tasks {
      constructor(private readonly conductor: Conductor) {}
      @Task('place', { retry: quick })
      async place(_event: unknown, ctx: TaskContext) {
        await ctx
          .transaction('first', async (em) => {
            await this.conductor.using(em).invoke(ship, { name: 'first' });
            throw new Error('declined');
          })
          .catch(() => undefined);
        await ctx.sleep('a while', 20);
        const [id] = await Promise.all([
          ctx.transaction('second', async (em) => {
            const [one] = await this.conductor
              .using(em)
              .invokeMany(ship, [{ payload: { name: 'second' } }, { payload: { name: 'third' } }]);
            return one!.id;
          }),
          ctx.sleep('another', 10),
        ]);
        if (ctx.attempt < 3) throw new Error('again');
        return id;
      }
    }
    const { conductor } = await start([Shipping, Tasks], {
      transactions: { dataSource: 'default' },
    });
    const id = await conductor.invokeAndWait<string>({ name: 'place' }, 0, { timeout: '20s' });
    await conductor.handle(id).result({ timeout: '20s' });
    expect((await accepted(conductor)).toReversed()).toEqual([
      { name: 'second' },
      { name: 'third' },
    ]);
  });

  it('a handler of a request’s scope, whose provider opens the transaction, enqueues for itself', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Chain {
      constructor(
        @Inject(REQUEST) private readonly request: TaskRequest<number>,
        private readonly source: DataSource,
        private readonly conductor: Conductor,
      ) {}
      @Task('link')
      async link() {
        const left = this.request.event.payload;
        await this.source.transaction(async (em) => {
          await save(em, `${left}`);
          if (left > 0) await this.conductor.using(em).invoke({ name: 'link' }, left - 1);
        });
      }
    }
    const { conductor, source } = await start([Chain]);
    await source.transaction((em) => conductor.using(em).invoke({ name: 'link' }, 4));
    await until(async () => (await saved()).length === 5);
    expect(await saved()).toEqual(['0', '1', '2', '3', '4']);
  });

  it('decision 30 a transaction that stays open holds up nothing else of its task', async () => {
    const { conductor, source } = await start();
    const runner = source.createQueryRunner();
    await runner.startTransaction();
    const { id } = await conductor
      .using(runner.manager)
      .invoke(ship, { name: 'open' }, { priority: 9 });
    for (let i = 0; i < 20; i += 1) {
      const handle = await conductor.invoke(ship, { name: `${i}` }, { delay: 1 });
      await handle.result({ timeout: '20s' });
    }
    await runner.commitTransaction();
    await runner.release();
    await conductor.handle(id).result({ timeout: '20s' });
    expect(Shipping.shipped.at(-1)).toBe('open');
  });

  it('what is overdue when its transaction is committed at last does not run', async () => {
    const { conductor, source } = await start();
    const { id } = await source.transaction(async (em) => {
      const execution = await conductor
        .using(em)
        .invoke(ship, { name: 'late' }, { expireAfter: 1 });
      await em.query('select pg_sleep(0.05)');
      return execution;
    });
    await expect(conductor.handle(id).wait({ timeout: '20s' })).resolves.toMatchObject({
      status: 'failed',
      error: { code: 'CONDUCTOR_EXPIRED' },
    });
    expect(Shipping.shipped).toEqual([]);
  });

  it('a thousand in one statement, and a thousand statements in one transaction', async () => {
    const { conductor, source } = await start([], { role: 'client' });
    await source.transaction(async (em) => {
      const tied = conductor.using(em);
      await tied.invokeMany(
        ship,
        Array.from({ length: 1_000 }, (_, i) => ({ payload: { name: `${i}` } })),
      );
      for (let i = 0; i < 1_000; i += 1) await tied.invoke(ship, { name: `${i}` });
    });
    await expect(conductor.queues()).resolves.toContainEqual(
      expect.objectContaining({ name: 'ships', pending: 2_000 }),
    );
  });

  it('several at once in one transaction, with a savepoint that is rolled back before them', async () => {
    const { conductor, source } = await start();
    const ids = await source.transaction(async (em) => {
      const tied = conductor.using(em);
      await em
        .transaction(async () => {
          await tied.invoke(ship, { name: 'dropped' }); // joins the innermost, as em itself does
          throw new Error('back');
        })
        .catch(() => undefined);
      const all = await Promise.all(['a', 'b', 'c'].map((name) => tied.invoke(ship, { name })));
      return all.map(({ id }) => id);
    });
    for (const id of ids) await conductor.handle(id).result({ timeout: '20s' });
    expect(new Set(Shipping.shipped)).toEqual(new Set(['a', 'b', 'c']));
    expect(await accepted(conductor)).toHaveLength(3);
  });

  it('after the conductor was closed the call fails, and the transaction goes on', async () => {
    const { app, conductor, source } = await start([], { role: 'client' });
    const other = new DataSource({ type: 'postgres', url: apps.database.url });
    await other.initialize();
    await source.transaction((em) => conductor.using(em).invoke(ship, { name: 'before' }));
    await app.close();
    await other.transaction(async (em) => {
      await save(em, 'a');
      await expect(conductor.using(em).invoke(ship, { name: 'after' })).rejects.toMatchObject({
        code: 'CONDUCTOR_STOPPED',
      });
    });
    await other.destroy();
    expect(await saved()).toEqual(['a']);
  });
});
