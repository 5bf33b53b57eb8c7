import { Injectable } from '@nestjs/common';
import { InjectDataSource, InjectEntityManager, TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, EntityManager } from 'typeorm';
import { z } from 'zod';
import {
  defineTask,
  ExecutionIdConflictError,
  InvalidInvokeError,
  NotInTransactionError,
  OtherDatabaseError,
  PayloadInvalidError,
  Step,
  Task,
  TransactionAbortedError,
  Tx,
  UncommittedExecutionError,
  type Conductor,
  type ConductorModuleOptions,
  type ExecutionHandle,
  type TaskContext,
  type TaskEvent,
} from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { openTransactions } from '../support/open-transactions.js';
import { testApps } from '../support/test-app.js';
import { createTestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

const ship = defineTask({
  name: 'orders.ship',
  payload: z.object({ order: z.string() }),
  returns: z.string(),
});

@Injectable()
class Shipping {
  @Task(ship)
  async ship({ payload }: TaskEvent<typeof ship>) {
    return `shipped ${payload.order}`;
  }
}

const apps = testApps();

/** An app with a DataSource of its own, and its table of orders. */
async function start(
  options: Partial<ConductorModuleOptions> & {
    providers?: (new (...args: never[]) => object)[];
    poolSize?: number;
    appUrl?: string;
  } = {},
) {
  const { providers = [], poolSize, appUrl = apps.database.url, ...rest } = options;
  await apps.database.query('create table if not exists orders (name text primary key)');
  const { app, conductor } = await apps.start({
    providers: [Shipping, ...providers],
    modules: [TypeOrmModule.forRoot({ type: 'postgres', url: appUrl, poolSize })],
    ...rest,
  });
  const source = app.get(DataSource);
  return { app, conductor, source, em: source.manager };
}

const save = (em: EntityManager, name: string) =>
  em.query('insert into orders (name) values ($1)', [name]);
const saved = async () =>
  (await apps.database.query<{ name: string }>('select name from orders order by name')).map(
    ({ name }) => name,
  );
const asked = async (conductor: Conductor) => (await conductor.list({})).items.map(({ id }) => id);
const settings = (em: EntityManager) =>
  em.query<object[]>('select name, setting from pg_settings order by name');

describe('an invoke in a transaction of the caller’s', () => {
  it('G6 is accepted with its commit, and workers are told: with the user’s row, and run once', async () => {
    const { conductor, em } = await start({ lease: '1h' }); // a beat a second
    const { id, outcome } = await em.transaction(async (tx) => {
      await save(tx, 'a');
      const execution = await conductor
        .using(tx)
        .invoke(ship, { order: 'a' }, { headers: { tenant: 'acme' } });
      expect(await conductor.get(execution.id)).toBeUndefined(); // nobody else sees it yet
      return execution;
    });
    expect(outcome).toBe('created');
    expect((await conductor.get(id))!.headers).toEqual({ tenant: 'acme' });
    await expect(conductor.handle(id).result({ timeout: '10s' })).resolves.toBe('shipped a');
    expect(await saved()).toEqual(['a']);
    expect(await asked(conductor)).toEqual([id]);
  });

  it('G6 tells the queue’s listeners at the commit, not before, and not when it is rolled back', async () => {
    const { conductor, source } = await start({ role: 'client', queues: {} });
    const runner = source.createQueryRunner();
    const told: string[] = [];
    const client = (await runner.connect()) as import('pg').Client;
    client.on('notification', ({ channel }) => void told.push(channel));
    await conductor.invoke(ship, { order: 'first' }); // queue 1 is known, and was told of before we listen
    await runner.query('listen "conductor:q1"');
    for (const end of ['rollbackTransaction', 'commitTransaction'] as const) {
      await runner.startTransaction();
      await conductor.using(runner.manager).invokeMany(ship, [{ payload: { order: end } }]);
      await runner.query('select 1');
      expect(told).toEqual([]);
      await runner[end]();
    }
    await until(() => told.length > 0);
    expect(told).toEqual(['conductor:q1']);
    await runner.release();
  });

  it('G6 never was when it is rolled back', async () => {
    const { conductor, em } = await start();
    const failing = em.transaction(async (tx) => {
      await save(tx, 'a');
      await conductor.using(tx).invoke(ship, { order: 'a' });
      await conductor.using(tx).invokeMany(ship, [{ payload: { order: 'b' } }]);
      throw new Error('mine');
    });
    await expect(failing).rejects.toThrow('mine');
    expect(await saved()).toEqual([]);
    expect(await asked(conductor)).toEqual([]);
  });

  it('G6 of a nested transaction goes with that one alone', async () => {
    const { conductor, em } = await start();
    const ids = await em.transaction(async (tx) => {
      const outer = await conductor.using(tx).invoke(ship, { order: 'outer' });
      await tx
        .transaction(async (nested) => {
          await conductor.using(nested).invoke(ship, { order: 'dropped' });
          throw new Error('back to the savepoint');
        })
        .catch(() => undefined);
      const kept = await tx.transaction(
        async (nested) => await conductor.using(nested).invoke(ship, { order: 'kept' }),
      );
      return [outer.id, kept.id];
    });
    expect((await asked(conductor)).toSorted()).toEqual(ids.toSorted());
    for (const id of ids) await conductor.handle(id).result({ timeout: '10s' });
  });

  it('G6 keeps the options, outcomes and order of its items', async () => {
    const { conductor, em } = await start({ role: 'client', queues: {} });
    const known = await conductor.invoke(ship, { order: 'known' });
    const own = '0190d2b0-0000-7000-8000-00000000000A';
    const executions = await em.transaction(async (tx) =>
      conductor.using(tx).invokeMany(ship, [
        { payload: { order: 'a' }, priority: 7, delay: '1h' },
        { payload: { order: 'b' }, id: known.id },
        { payload: { order: 'c' }, id: own, expireAfter: '1h', deadline: '2h' },
        { payload: { order: 'd' }, id: own },
        { payload: { order: 'e' }, runAt: new Date('2040-01-01') },
      ]),
    );
    expect(executions.map(({ outcome }) => outcome)).toEqual([
      'created',
      'existing',
      'created',
      'existing',
      'created',
    ]);
    expect(executions[2]!.id).toBe(own.toLowerCase());
    const [first, , third, , fifth] = await Promise.all(
      executions.map(({ id }) => conductor.get(id)),
    );
    expect(first).toMatchObject({ priority: 7, payload: { order: 'a' }, status: 'pending' });
    expect(first!.runAt!.getTime()).toBeGreaterThan(Date.now() + 3_000_000);
    expect(third).toMatchObject({ payload: { order: 'c' } });
    expect(fifth).toMatchObject({ runAt: new Date('2040-01-01') });
    const rows = await apps.database.query(
      `select expires_at is not null as expires, deadline_at is not null as ends from conductor.run where id = $1`,
      [own],
    );
    expect(rows).toEqual([{ expires: true, ends: true }]);
    await em.transaction(async (tx) => {
      await expect(conductor.using(tx).invokeMany(ship, [])).resolves.toEqual([]);
    });
  });

  it('leaves every setting of the transaction as it was, synchronous_commit too', async () => {
    const { conductor, em } = await start();
    const id = await em.transaction(async (tx) => {
      await tx.query('set local synchronous_commit = off');
      await tx.query('do $$ begin end $$'); // loads PL/pgSQL, with its settings
      const before = await settings(tx);
      const execution = await conductor.using(tx).invoke(ship, { order: 'a' });
      expect(await settings(tx)).toEqual(before);
      return execution.id;
    });
    await expect(conductor.handle(id).result({ timeout: '10s' })).resolves.toBe('shipped a');
  });

  it('takes no connection of the app’s beside the caller’s: as many at once as its pool has', async () => {
    const { conductor, em } = await start({ poolSize: 2 });
    const all = Array.from({ length: 8 }, (_, i) =>
      em.transaction(async (tx) => {
        await save(tx, `${i}`);
        return await conductor.using(tx).invoke(ship, { order: `${i}` });
      }),
    );
    for (const { id } of await Promise.all(all))
      await conductor.handle(id).result({ timeout: '10s' });
    expect(await saved()).toHaveLength(8);
  });

  it('writes no payload into TypeORM’s log', async () => {
    const lines: unknown[] = [];
    const { conductor, em, source } = await start();
    source.setOptions({ logging: true });
    source.logger = new Proxy({} as never, {
      get:
        () =>
        (...args: unknown[]) =>
          lines.push(args[0], args[1]),
    });
    await em.transaction((tx) => conductor.using(tx).invoke(ship, { order: 'canary' }));
    expect(lines.length).toBeGreaterThan(0);
    expect(JSON.stringify(lines)).not.toContain('canary');
  });

  it('works in a service that Nest gives its DataSource or EntityManager', async () => {
    @Injectable()
    class Orders {
      conductor!: Conductor;
      constructor(
        @InjectDataSource() private readonly source: DataSource,
        @InjectEntityManager() private readonly em: EntityManager,
      ) {}
      place = (name: string) =>
        this.source.transaction(async (tx) => {
          await save(tx, name);
          return await this.conductor.using(tx).invoke(ship, { order: name });
        });
      misplace = async (name: string) =>
        await this.conductor.using(this.em).invoke(ship, { order: name });
    }
    const { app, conductor } = await start({ providers: [Orders] });
    const orders = app.get(Orders);
    orders.conductor = conductor;
    const { id } = await orders.place('a');
    await expect(conductor.handle(id).result({ timeout: '10s' })).resolves.toBe('shipped a');
    await expect(orders.misplace('b')).rejects.toThrow(NotInTransactionError);
  });
});

describe('its handle', () => {
  it('has id and outcome, and says where the rest is', async () => {
    const { conductor, em } = await start({ role: 'client', queues: {} });
    const execution = await em.transaction((tx) =>
      conductor.using(tx).invoke(ship, { order: 'a' }),
    );
    const handle = execution as unknown as ExecutionHandle;
    expect(Object.keys(execution).toSorted()).toEqual(['id', 'outcome']);
    for (const member of ['status', 'result', 'wait'] as const)
      await expect(handle[member]()).rejects.toThrow(UncommittedExecutionError);
    await expect(conductor.handle(execution.id).status()).resolves.toMatchObject({
      status: 'pending',
    });
  });
});

describe('what is refused', () => {
  it('what is no EntityManager', async () => {
    const { conductor, source } = await start();
    for (const other of [undefined, null, source, source.createQueryRunner(), {}, 'em'])
      expect(() => conductor.using(other as EntityManager)).toThrow(InvalidInvokeError);
  });

  it('an EntityManager that is in no transaction, or no longer', async () => {
    const { conductor, em, source } = await start();
    const refused = { code: 'CONDUCTOR_NOT_IN_TRANSACTION' };
    await expect(conductor.using(em).invoke(ship, { order: 'a' })).rejects.toMatchObject({
      ...refused,
      reason: 'none',
    });
    const runner = source.createQueryRunner();
    await expect(
      conductor.using(runner.manager).invokeMany(ship, [{ payload: { order: 'a' } }]),
    ).rejects.toMatchObject({ ...refused, reason: 'none' });
    await runner.release();
    let kept!: EntityManager;
    await em.transaction(async (tx) => void (kept = tx));
    await expect(conductor.using(kept).invoke(ship, { order: 'a' })).rejects.toMatchObject({
      ...refused,
      reason: 'ended',
    });
    await em.transaction(async (tx) => {
      await tx.query('set transaction read only');
      await expect(conductor.using(tx).invoke(ship, { order: 'a' })).rejects.toMatchObject({
        ...refused,
        reason: 'read-only',
      });
      await tx.query('select 1');
    });
    expect(await asked(conductor)).toEqual([]);
  });

  it.each(['rollbackTransaction', 'commitTransaction'] as const)(
    'G6 an invoke that was not awaited before %s: it does not slip out of its transaction, nor into the next',
    async (end) => {
      const { conductor, source } = await start();
      await source.transaction((tx) => conductor.using(tx).invoke(ship, { order: 'first' }));
      const [first] = await asked(conductor);
      const runner = source.createQueryRunner();
      for (let i = 0; i < 20; i += 1) {
        await runner.startTransaction();
        await save(runner.manager, `${end} ${i}`);
        const floating = conductor
          .using(runner.manager)
          .invoke(ship, { order: 'floating' })
          .then(
            () => 'accepted',
            (error: unknown) => error,
          );
        await runner[end]();
        await runner.startTransaction();
        await runner.query('select 1');
        const answer = await floating;
        await runner.commitTransaction();
        expect(answer).toBeInstanceOf(NotInTransactionError);
      }
      await runner.release();
      expect(await asked(conductor)).toEqual([first]);
    },
  );

  it('G6 an invoke that was not awaited in a nested transaction that was rolled back: the outer one does not accept it', async () => {
    const { conductor, em } = await start();
    const gate = new Gate();
    const slow = defineTask({
      name: 'slow',
      payload: z.string().refine(async () => {
        await gate.pass();
        return true;
      }),
    });
    let floating!: Promise<unknown>;
    await em.transaction(async (tx) => {
      await tx
        .transaction(async (nested) => {
          floating = conductor.using(nested).invoke(slow, 'floating');
          floating.catch(() => undefined);
          await gate.reached;
          throw new Error('back to the savepoint');
        })
        .catch(() => undefined);
      gate.open();
      await expect(floating).rejects.toMatchObject({ reason: 'ended' });
    });
    expect(await asked(conductor)).toEqual([]);
  });

  it('another database, before anything is written, and the transaction goes on', async () => {
    const other = await createTestDatabase();
    const { conductor, em } = await start({ appUrl: other.url });
    await other.query('create table orders (name text primary key)');
    try {
      const attempt = () =>
        em.transaction(async (tx) => {
          await save(tx, 'a');
          await expect(conductor.using(tx).invoke(ship, { order: 'a' })).rejects.toMatchObject({
            code: 'CONDUCTOR_OTHER_DATABASE',
            reason,
          });
          await tx.query('delete from orders');
        });
      let reason = 'invisible'; // there is no such schema
      await attempt();
      const second = await apps.start({ url: other.url });
      reason = 'other'; // there is one, of another conductor
      await attempt();
      expect(await asked(second.conductor)).toEqual([]);
      await second.close();
    } finally {
      await em.dataSource.destroy();
      await other.drop();
    }
  });

  it.each([
    ['invisible', undefined],
    [
      'refused',
      'grant usage on schema conductor to %I; grant select on all tables in schema conductor to %I',
    ],
  ])('a role of the app’s that may not: %s, and no longer once it may', async (reason, grants) => {
    const role = `app_${process.pid}_${Math.trunc(Number(process.hrtime.bigint() % 1_000_000n))}`;
    const grant = (sql: string) => apps.database.query(sql.replaceAll('%I', role));
    await grant(`create role %I login password 'x'`);
    const url = new URL(apps.database.url);
    url.username = role;
    url.password = 'x';
    const { conductor, em, app } = await start({ appUrl: url.href });
    try {
      if (grants !== undefined) await grant(grants);
      await em.transaction(async (tx) => {
        await expect(conductor.using(tx).invoke(ship, { order: 'a' })).rejects.toMatchObject({
          reason,
        });
        await tx.query('select 1');
      });
      await grant(
        'grant usage on schema conductor to %I; grant select, insert on all tables in schema conductor to %I',
      );
      const { id } = await em.transaction((tx) => conductor.using(tx).invoke(ship, { order: 'a' }));
      await expect(conductor.handle(id).result({ timeout: '10s' })).resolves.toBe('shipped a');
    } finally {
      await app.close();
      await grant('drop owned by %I; drop role %I');
    }
  });

  it('OtherDatabaseError is what transactional steps give as well', () => {
    expect(new OtherDatabaseError('other', 'd', 's', 'using').code).toBe(
      'CONDUCTOR_OTHER_DATABASE',
    );
  });
});

describe('what fails', () => {
  it('in the call itself leaves the transaction as it was', async () => {
    const { conductor, em } = await start({ role: 'client', queues: {} });
    const taken = await conductor.invoke({ name: 'another' });
    await em.transaction(async (tx) => {
      const tied = conductor.using(tx);
      await save(tx, 'a');
      await expect(tied.invoke(ship, { order: 1 } as never)).rejects.toThrow(PayloadInvalidError);
      await expect(tied.invoke({ name: 'x' }, () => 0)).rejects.toMatchObject({
        code: 'CONDUCTOR_SERIALIZATION',
      });
      await expect(tied.invoke(ship, { order: 'a' }, { delay: 'soon' as '1s' })).rejects.toThrow(
        InvalidInvokeError,
      );
      await expect(tied.invokeMany(ship, [1] as never)).rejects.toThrow(InvalidInvokeError);
      await expect(tied.invoke(ship, { order: 'a' }, { id: taken.id })).rejects.toThrow(
        ExecutionIdConflictError,
      );
      const many = [{ payload: { order: 'fine' } }, { payload: { order: 'a' }, id: taken.id }];
      await expect(tied.invokeMany(ship, many)).rejects.toThrow(ExecutionIdConflictError);
      await save(tx, 'b');
    });
    expect(await saved()).toEqual(['a', 'b']);
    expect(await asked(conductor)).toEqual([taken.id]); // of the many, none
  });

  it('in Postgres says that all of it is to be rolled back, and shows no payload', async () => {
    const { conductor, em } = await start();
    const failing = em.transaction(async (tx) => {
      await save(tx, 'a');
      await save(tx, 'a').catch(() => undefined); // it swallows what has aborted its transaction
      await conductor.using(tx).invoke(ship, { order: 'canary' });
    });
    const error = await failing.catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(TransactionAbortedError);
    expect(error).toMatchObject({ sqlState: '25P02' });
    expect(await saved()).toEqual([]);
  });
});

describe('isolation levels', () => {
  it.each(['REPEATABLE READ', 'SERIALIZABLE'] as const)(
    'G6 under %s it sees a task that is younger than its snapshot, with its settings',
    async (isolation) => {
      const { conductor, em } = await start({ role: 'client', queues: {} });
      const id = await em.transaction(isolation, async (tx) => {
        await tx.query('select 1 from orders'); // the snapshot
        await conductor.invoke({ name: 'young' }); // makes the task
        await apps.database.query(
          `update conductor.task set priority = 5, expire_after_ms = 60000`,
        );
        return (await conductor.using(tx).invoke({ name: 'young' }, 1)).id;
      });
      await expect(conductor.get(id)).resolves.toMatchObject({ priority: 5, task: 'young' });
      const [run] = await apps.database.query(
        'select expires_at from conductor.run where id = $1',
        [id],
      );
      expect(run!['expires_at']).not.toBeNull();
    },
  );

  it.each(['REPEATABLE READ', 'SERIALIZABLE'] as const)(
    'under %s an id that was committed after its snapshot is a failure to run all of it again, by its code',
    async (isolation) => {
      const { conductor, em } = await start({ role: 'client', queues: {} });
      const id = '0190d2b0-0000-7000-8000-00000000000a';
      const transact = (before: () => Promise<unknown>) =>
        em.transaction(isolation, async (tx) => {
          await save(tx, isolation);
          await before();
          return await conductor.using(tx).invoke(ship, { order: 'a' }, { id });
        });
      const first = transact(() => conductor.invoke(ship, { order: 'other' }, { id }));
      await expect(first).rejects.toMatchObject({
        code: 'CONDUCTOR_TRANSACTION_ABORTED',
        sqlState: '40001',
      });
      expect(await saved()).toEqual([]);
      await expect(transact(async () => undefined)).resolves.toMatchObject({ outcome: 'existing' });
      expect(await saved()).toEqual([isolation]);
    },
  );

  it('serializable transactions that enqueue do not fail each other', async () => {
    const { conductor, em } = await start();
    const ids: string[] = [];
    for (let round = 0; round < 5; round += 1)
      await Promise.all(
        Array.from({ length: 8 }, (_, i) =>
          em.transaction('SERIALIZABLE', async (tx) => {
            await save(tx, `${round} ${i}`);
            ids.push((await conductor.using(tx).invoke(ship, { order: `${i}` })).id);
          }),
        ),
      );
    for (const id of ids) await conductor.handle(id).result({ timeout: '10s' });
    expect(await saved()).toHaveLength(40);
  });
});

describe('a transactional step that enqueues', () => {
  it('S7 G6 does so exactly once, with its record, whatever it takes', async () => {
    let bodies = 0;
    let conductor!: Conductor;
    @Injectable()
    class Steps {
      @Step({
        transactional: true,
        retry: { maxAttempts: 3, backoff: { type: 'fixed', delay: 1, jitter: 0 } },
      })
      async place(name: string, @Tx() em?: EntityManager) {
        bodies += 1;
        await save(em!, `${name} ${bodies}`);
        const { id } = await conductor.using(em!).invoke(ship, { order: name });
        if (bodies === 1) throw new Error('after the enqueue');
        if (bodies === 2)
          await em!.query('select pg_terminate_backend(pg_backend_pid())').catch(() => undefined);
        return id;
      }
    }
    @Injectable()
    class Tasks {
      constructor(private readonly steps: Steps) {}
      @Task('place', { retry: { maxAttempts: 2, backoff: { type: 'fixed', delay: 1, jitter: 0 } } })
      async place(_event: unknown, ctx: TaskContext) {
        const id = await this.steps.place('a');
        if (ctx.attempt === 1) throw new Error('after the step');
        return id;
      }
    }
    const app = await start({ providers: [Steps, Tasks], transactions: { dataSource: 'default' } });
    ({ conductor } = app);
    const parent = await conductor.invoke<string>({ name: 'place' });
    const id = await parent.result({ timeout: '10s' });
    await expect(conductor.handle(id).result({ timeout: '10s' })).resolves.toBe('shipped a');
    expect(await saved()).toEqual(['a 3']);
    expect((await conductor.list({ task: ship.name })).items.map((item) => item.id)).toEqual([id]);
    expect(bodies).toBe(3);
    await until(async () => (await openTransactions(apps.database)) === 0);
  });
});
