import { Injectable } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Column, Entity, EntityManager, PrimaryGeneratedColumn, type Logger } from 'typeorm';
import {
  InsideStepError,
  InvalidOptionsError,
  InvalidStepError,
  InvalidTaskError,
  NoTransactionsError,
  OtherDatabaseError,
  Step,
  StepTimeoutError,
  Task,
  Tx,
  type StepOptions,
  type TaskContext,
} from '../../lib/index.js';
import { Proxy, type Verdict } from '../hazards/harness/proxy.js';
import { Gate } from '../support/gate.js';
import { openTransactions } from '../support/open-transactions.js';
import { startApp, testApps, type TestAppOptions } from '../support/test-app.js';
import { createTestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

@Entity({ name: 'payment' })
class Payment {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column('text')
  orderId!: string;
}

const quick = { maxAttempts: 4, backoff: { type: 'fixed', delay: 1, jitter: 0 } } as const;

const apps = testApps();

/** An app with a DataSource of its own on this database, and these providers. */
function start(providers: TestAppOptions['providers'], { url = apps.database.url, ...rest } = {}) {
  return apps.start({
    url: apps.database.url,
    providers,
    modules: [
      TypeOrmModule.forRoot({ type: 'postgres', url, entities: [Payment], synchronize: true }),
    ],
    transactions: { dataSource: 'default' },
    ...rest,
  });
}

const payments = async () =>
  (await apps.database.query<{ orderId: string }>('select "orderId" from payment order by id')).map(
    ({ orderId }) => orderId,
  );

const pay = (em: EntityManager, orderId: string) => em.save(Payment, { orderId });

/** One attempt of a task that is this transactional step. */
function paying(body: (em: EntityManager) => unknown, options?: StepOptions) {
  @Injectable()
  class Tasks {
    @Task('pay', { retry: { maxAttempts: 1 } })
    async pay(_event: unknown, ctx: TaskContext) {
      return await ctx.transaction('pay', body, options);
    }
  }
  return Tasks;
}

describe('a transactional step', () => {
  it('S7 commits what its body writes together with its record, once, whatever fails after it', async () => {
    let bodies = 0;
    @Injectable()
    class Steps {
      @Step({ transactional: true })
      async markPaid(orderId: string, @Tx() em?: EntityManager) {
        bodies += 1;
        await pay(em!, orderId);
        return orderId.toUpperCase();
      }
    }
    @Injectable()
    class Tasks {
      constructor(private readonly steps: Steps) {}
      @Task('pay', { retry: quick })
      async pay(event: { payload: string }, ctx: TaskContext) {
        const paid = await this.steps.markPaid(event.payload);
        const noted = await ctx.transaction('note', async (em) => {
          await pay(em, `note of ${event.payload}`);
          return 7n;
        });
        if (ctx.attempt < 3) throw new Error('after both');
        return [paid, noted];
      }
    }
    const { conductor } = await start([Steps, Tasks]);
    const handle = await conductor.invoke({ name: 'pay' }, 'a');
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual(['A', 7n]);
    expect(await payments()).toEqual(['a', 'note of a']);
    expect(bodies).toBe(1);
    await expect(conductor.steps(handle.id)).resolves.toMatchObject([
      { name: 'Steps.markPaid', kind: 'step', status: 'completed', result: 'A' },
      { name: 'note', kind: 'step', status: 'completed', result: 7n },
    ]);
  });

  it('S7 that throws takes back what its body wrote, in each of its own tries and in each attempt', async () => {
    let tries = 0;
    @Injectable()
    class Tasks {
      @Task('pay', { retry: quick })
      async pay(_event: unknown, ctx: TaskContext) {
        return await ctx.transaction(
          'pay',
          async (em) => {
            tries += 1;
            await pay(em, `try ${tries}`);
            if (tries < 4) throw new Error(`try ${tries} fails`);
            return tries;
          },
          { retry: { ...quick, maxAttempts: 2 } },
        );
      }
    }
    const { conductor } = await start([Tasks]);
    const handle = await conductor.invoke({ name: 'pay' }, 0);
    await expect(handle.result({ timeout: '10s' })).resolves.toBe(4);
    expect(await payments()).toEqual(['try 4']);
    await expect(handle.status()).resolves.toMatchObject({ attempt: 2 });
  });

  it('S7 whose result cannot be stored takes back what its body wrote', async () => {
    @Injectable()
    class Tasks {
      @Task('pay')
      async pay(_event: unknown, ctx: TaskContext) {
        await ctx.transaction('pay', async (em) => {
          await pay(em, 'unstorable');
          return () => 0;
        });
      }
    }
    const { conductor } = await start([Tasks]);
    await expect(
      conductor.invokeAndWait({ name: 'pay' }, 0, { timeout: '10s' }),
    ).rejects.toMatchObject({ cause: { code: 'CONDUCTOR_SERIALIZATION' } });
    expect(await payments()).toEqual([]);
  });

  it('S7 whose connection is lost between body and commit runs again, and its first row is gone', async () => {
    let bodies = 0;
    const Tasks = paying(async (em) => {
      bodies += 1;
      await pay(em, `body ${bodies}`);
      const [{ pid }] = await em.query<[{ pid: number }]>('select pg_backend_pid() as pid');
      if (bodies === 1) await apps.database.query('select pg_terminate_backend($1)', [pid]);
      return bodies;
    });
    const { conductor } = await start([Tasks]);
    const handle = await conductor.invoke({ name: 'pay' }, 0);
    await expect(handle.result({ timeout: '10s' })).resolves.toBe(2);
    expect(await payments()).toEqual(['body 2']);
    await expect(handle.status()).resolves.toMatchObject({ attempt: 1 });
  });

  it('S7 whose connection is lost while its body works is no failure: it runs again', async () => {
    let bodies = 0;
    const Tasks = paying(async (em) => {
      bodies += 1;
      await pay(em, `body ${bodies}`);
      if (bodies < 3) await em.query('select pg_terminate_backend(pg_backend_pid())');
      return bodies;
    });
    const { conductor } = await start([Tasks]);
    await expect(conductor.invokeAndWait({ name: 'pay' }, 0, { timeout: '10s' })).resolves.toBe(3);
    expect(await payments()).toEqual(['body 3']);
  });

  it('S7 on a socket that became half-open runs again, if the app bounds its statements', async () => {
    const proxy = new Proxy(apps.database.url);
    apps.keep(proxy);
    let bodies = 0;
    const Tasks = paying(async (em) => {
      bodies += 1;
      await em.query('insert into payment ("orderId") values ($1)', [`body ${bodies}`]);
      if (bodies > 1) return bodies;
      proxy.mode = { type: 'blackhole', direction: 'both' };
      try {
        return await em.query('select 1');
      } finally {
        proxy.mode = { type: 'pass' };
      }
    });
    await apps.database.query('create table payment (id serial primary key, "orderId" text)');
    const extra = { query_timeout: 500 };
    const { conductor } = await apps.start({
      providers: [Tasks],
      modules: [TypeOrmModule.forRoot({ type: 'postgres', url: proxy.url, extra })],
      transactions: { dataSource: 'default' },
    });
    await expect(conductor.invokeAndWait({ name: 'pay' }, 0, { timeout: '20s' })).resolves.toBe(2);
    expect(await payments()).toEqual(['body 2']);
  });

  it('S7 that Postgres ended for idling too long fails, and is told what to do', async () => {
    const ended = new Gate();
    const Tasks = paying(async (em) => {
      await pay(em, 'slow');
      await ended.pass();
      await pay(em, 'too late');
    });
    const transactions = { dataSource: 'default', idleTimeout: '200ms' };
    const { conductor } = await start([Tasks], { transactions } as object);
    const handle = await conductor.invoke({ name: 'pay' }, 0);
    await ended.reached;
    await until(async () => (await openTransactions(apps.database)) === 0);
    ended.open();
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({
      cause: { message: expect.stringContaining('transactions.idleTimeout: 200 ms') },
    });
    expect(await payments()).toEqual([]);
  });

  it.each(['commit', 'record_step'])(
    'S7 whose %s is not answered is looked for, and runs again only if it was not committed',
    async (kind) => {
      let left = 1;
      const judge = (request: { kind: string }): Verdict =>
        request.kind === kind && left-- > 0 ? 'cutBeforeReply' : 'pass';
      const proxy = new Proxy(apps.database.url, { judge });
      apps.keep(proxy);
      let bodies = 0;
      const Tasks = paying(async (em) => {
        bodies += 1;
        await pay(em, `body ${bodies}`);
        return bodies;
      });
      // without synchronize, whose transactions would meet the fault
      await apps.database.query('create table payment (id serial primary key, "orderId" text)');
      const { conductor } = await apps.start({
        providers: [Tasks],
        modules: [TypeOrmModule.forRoot({ type: 'postgres', url: proxy.url, entities: [Payment] })],
        transactions: { dataSource: 'default' },
      });
      const committed = kind === 'commit' ? 1 : 2;
      await expect(conductor.invokeAndWait({ name: 'pay' }, 0, { timeout: '10s' })).resolves.toBe(
        committed,
      );
      expect(await payments()).toEqual([`body ${committed}`]);
      expect(bodies).toBe(committed);
      expect(left).toBeLessThan(1);
    },
  );

  it('S7 G3 of an attempt that has lost its lease leaves nothing behind', async () => {
    const gates = [new Gate(), new Gate()];
    let bodies = 0;
    @Injectable()
    class Tasks {
      @Task('pay')
      async pay(_event: unknown, ctx: TaskContext) {
        return await ctx.transaction('pay', async (em) => {
          const n = (bodies += 1);
          await pay(em, `body ${n}`);
          await gates[n - 1]!.pass();
          return n;
        });
      }
    }
    const { conductor } = await start([Tasks]);
    const handle = await conductor.invoke({ name: 'pay' }, 0);
    await gates[0]!.reached;
    // as recovery does when the lease is over
    await apps.database.query(
      `update conductor.run set status = 0, token = null, worker_id = null, started = false where id = $1`,
      [handle.id],
    );
    await gates[1]!.reached;
    gates[0]!.open();
    await until(async () => (await openTransactions(apps.database)) === 1);
    gates[1]!.open();
    await expect(handle.result({ timeout: '10s' })).resolves.toBe(2);
    expect(await payments()).toEqual(['body 2']);
  });

  it('takes part in the transaction of the transactional step whose body calls it, with every step in there', async () => {
    const seen: unknown[] = [];
    @Injectable()
    class Steps {
      @Step({ transactional: true })
      async outer(@Tx() em?: EntityManager) {
        seen.push(em);
        await pay(em!, 'outer');
        await this.inner();
        await this.plain('plain');
        throw new Error('all of it goes back');
      }
      @Step({ transactional: true })
      async inner(@Tx() em?: EntityManager) {
        seen.push(em);
        await pay(em!, 'inner');
      }
      @Step()
      async plain(name: string, @Tx() em?: EntityManager) {
        seen.push(em);
        await pay(em!, name);
      }
    }
    @Injectable()
    class Tasks {
      constructor(private readonly steps: Steps) {}
      @Task('pay')
      async pay(_event: unknown, ctx: TaskContext) {
        await this.steps.outer().catch(() => undefined);
        await ctx.transaction('whole', async (em) => {
          await pay(em, 'whole');
          await ctx.transaction('part', async (same) => {
            seen.push(same === em);
            await pay(same, 'part');
          });
        });
      }
    }
    const { conductor } = await start([Steps, Tasks]);
    const handle = await conductor.invoke({ name: 'pay' }, 0);
    await handle.result({ timeout: '10s' });
    expect(seen[0]).toBeInstanceOf(EntityManager);
    expect(seen[1]).toBe(seen[0]);
    expect(seen[2]).toBe(seen[0]);
    expect(seen[3]).toBe(true);
    expect(await payments()).toEqual(['whole', 'part']);
    const steps = await conductor.steps(handle.id);
    expect(steps.map(({ name }) => name)).toEqual(['Steps.outer', 'whole']);
  });

  it('is refused in the body of a plain step, which would be recorded apart from it', async () => {
    @Injectable()
    class Steps {
      @Step({ transactional: true })
      async paid(@Tx() em?: EntityManager) {
        await pay(em!, 'never');
      }
    }
    @Injectable()
    class Tasks {
      constructor(private readonly steps: Steps) {}
      @Task('pay')
      async pay(_event: unknown, ctx: TaskContext) {
        return await ctx.step('plain', async () => {
          const refusals = await Promise.allSettled([
            this.steps.paid(),
            ctx.transaction('paid', (em) => pay(em, 'never')),
          ]);
          return refusals.map((refusal) => (refusal as PromiseRejectedResult).reason.code);
        });
      }
    }
    const { conductor } = await start([Steps, Tasks]);
    const code = new InsideStepError('s', 'c').code;
    await expect(conductor.invokeAndWait({ name: 'pay' }, 0, { timeout: '10s' })).resolves.toEqual([
      code,
      code,
    ]);
    expect(await payments()).toEqual([]);
  });

  it('is an ordinary method outside an execution', async () => {
    @Injectable()
    class Steps {
      @Step({ transactional: true })
      async paid(name: string, @Tx() em?: EntityManager) {
        return [name, em];
      }
    }
    const { app } = await start([Steps]);
    const steps = app.get(Steps);
    await expect(steps.paid('a')).resolves.toEqual(['a', undefined]);
    const own = {} as EntityManager;
    await expect(steps.paid('a', own)).resolves.toEqual(['a', own]);
  });

  it('fails with what Postgres refuses at the commit, and its own policy tries it again', async () => {
    let bodies = 0;
    const Tasks = paying(
      async (em) => {
        bodies += 1;
        await pay(em, bodies < 3 ? 'twice' : 'once');
        if (bodies < 3) await pay(em, 'twice');
        return bodies;
      },
      { retry: quick },
    );
    const { conductor } = await start([Tasks]);
    await apps.database.query(
      'alter table payment add unique ("orderId") deferrable initially deferred',
    );
    await expect(conductor.invokeAndWait({ name: 'pay' }, 0, { timeout: '10s' })).resolves.toBe(3);
    expect(await payments()).toEqual(['once']);
  });

  it('fails when its body has swallowed an error of its transaction: nothing of it can be committed', async () => {
    const Tasks = paying(async (em) => {
      await pay(em, 'lost');
      await em.query('select 1 / 0').catch(() => undefined);
    });
    const { conductor } = await start([Tasks]);
    await expect(
      conductor.invokeAndWait({ name: 'pay' }, 0, { timeout: '10s' }),
    ).rejects.toMatchObject({ cause: { code: '25P02' } });
    expect(await payments()).toEqual([]);
  });

  it('fails, unrecorded, when its body ends the transaction itself', async () => {
    const Tasks = paying((em) => em.query('commit'));
    const { conductor } = await start([Tasks]);
    const handle = await conductor.invoke({ name: 'pay' }, 0);
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({
      cause: {
        code: new InvalidStepError('c', []).code,
        message: expect.stringContaining('COMMIT'),
      },
    });
    const steps = await conductor.steps(handle.id);
    expect(steps.filter(({ status }) => status === 'completed')).toEqual([]);
  });

  it('takes back what its body wrote when its time is over, also what comes after', async () => {
    const gate = new Gate();
    const late: unknown[] = [];
    const Tasks = paying(
      async (em) => {
        await pay(em, 'too late');
        await gate.pass();
        late.push(await pay(em, 'later still').catch((error: unknown) => error));
      },
      { timeout: 200 },
    );
    const { conductor } = await start([Tasks]);
    await expect(
      conductor.invokeAndWait({ name: 'pay' }, 0, { timeout: '10s' }),
    ).rejects.toMatchObject({ cause: { code: new StepTimeoutError('s', 1).code } });
    await until(async () => (await openTransactions(apps.database)) === 0);
    gate.open();
    await until(() => late.length === 1);
    expect(late[0]).toBeInstanceOf(Error);
    expect(await payments()).toEqual([]);
  });

  it('does not begin once its time is over, however late it gets its connection', async () => {
    const gate = new Gate();
    const bodies: string[] = [];
    @Injectable()
    class Tasks {
      @Task('holds')
      async holds(_event: unknown, ctx: TaskContext) {
        await ctx.transaction('hold', () => gate.pass());
      }
      @Task('waits', { retry: { maxAttempts: 1 } })
      async waits(_event: unknown, ctx: TaskContext) {
        await ctx.transaction('wait', () => void bodies.push('wait'), { timeout: 200 });
      }
    }
    const { conductor } = await apps.start({
      providers: [Tasks],
      modules: [TypeOrmModule.forRoot({ type: 'postgres', url: apps.database.url, poolSize: 1 })],
      transactions: { dataSource: 'default' },
    });
    const held = await conductor.invoke({ name: 'holds' });
    await gate.reached;
    await expect(
      conductor.invokeAndWait({ name: 'waits' }, 0, { timeout: '10s' }),
    ).rejects.toMatchObject({ cause: { code: 'CONDUCTOR_STEP_TIMEOUT' } });
    gate.open();
    await held.result({ timeout: '10s' });
    // it gets the connection after that one, and before this
    await conductor.invokeAndWait({ name: 'holds' }, 0, { timeout: '10s' });
    expect(bodies).toEqual([]);
  });

  it('gives up its connection when its attempt is over, whatever its body waits for', async () => {
    @Injectable()
    class Tasks {
      @Task('sleeps', { timeout: 500, retry: { maxAttempts: 1 } })
      async sleeps(_event: unknown, ctx: TaskContext) {
        await ctx.transaction('sleep', (em) => em.query('select pg_sleep(3600)'));
      }
      @Task('quick')
      async quick(_event: unknown, ctx: TaskContext) {
        return await ctx.transaction('quick', () => 'done');
      }
    }
    const { conductor } = await apps.start({
      providers: [Tasks],
      modules: [TypeOrmModule.forRoot({ type: 'postgres', url: apps.database.url, poolSize: 1 })],
      transactions: { dataSource: 'default' },
    });
    await expect(
      conductor.invokeAndWait({ name: 'sleeps' }, 0, { timeout: '10s' }),
    ).rejects.toMatchObject({ cause: { code: 'CONDUCTOR_ATTEMPT_TIMEOUT' } });
    // the pool's only connection; Postgres goes on sleeping
    await expect(conductor.invokeAndWait({ name: 'quick' }, 0, { timeout: '10s' })).resolves.toBe(
      'done',
    );
  });

  it('is not in the statements that the app has TypeORM write down', async () => {
    const statements: string[] = [];
    const logger = new globalThis.Proxy({} as Logger, {
      get:
        () =>
        (...args: unknown[]) =>
          void statements.push(JSON.stringify(args.slice(0, 2))),
    });
    @Injectable()
    class Tasks {
      @Task('pay')
      async pay(_event: unknown, ctx: TaskContext) {
        return await ctx.transaction('pay', async (em) => {
          await em.query('select $1::text', ['of the app']);
          return 'canary';
        });
      }
    }
    const { conductor } = await apps.start({
      providers: [Tasks],
      modules: [
        TypeOrmModule.forRoot({
          type: 'postgres',
          url: apps.database.url,
          logging: true,
          logger,
        }),
      ],
      transactions: { dataSource: 'default' },
    });
    await conductor.invokeAndWait({ name: 'pay' }, 0, { timeout: '10s' });
    expect(statements.filter((text) => text.includes('of the app'))).toHaveLength(1);
    expect(statements.filter((text) => text.includes('canary'))).toEqual([]);
  });

  it('is bounded while it is idle, unless its connection has a time-out of its own', async () => {
    @Injectable()
    class Tasks {
      @Task('timeouts')
      async timeouts(_event: unknown, ctx: TaskContext) {
        return await ctx.transaction('read', async (em) => {
          const [row] = await em.query<[{ idle: string }]>(
            `select current_setting('idle_in_transaction_session_timeout') as idle`,
          );
          return row.idle;
        });
      }
    }
    const idle = async (options: object, transactions = { dataSource: 'default' }) => {
      const app = await apps.start({
        providers: [Tasks],
        modules: [TypeOrmModule.forRoot({ type: 'postgres', url: apps.database.url, ...options })],
        transactions,
      });
      try {
        return await app.conductor.invokeAndWait({ name: 'timeouts' }, 0, { timeout: '10s' });
      } finally {
        await app.close();
      }
    };
    await expect(idle({})).resolves.toBe('5s');
    await expect(
      idle({}, { dataSource: 'default', idleTimeout: '700ms' } as { dataSource: string }),
    ).resolves.toBe('700ms');
    const own = { extra: { options: '-c idle_in_transaction_session_timeout=90s' } };
    await expect(idle(own)).resolves.toBe('90s');
  });

  it('keeps to the order in which its neighbours are recorded: a replay sees what the first run saw', async () => {
    const seen = new Map<string, string[]>();
    @Injectable()
    class Tasks {
      @Task('beside', { retry: quick })
      async beside(_event: unknown, ctx: TaskContext) {
        const order: string[] = [];
        const noted = (name: string) => () => void order.push(name);
        await Promise.all([
          ...Array.from({ length: 4 }, (_, n) =>
            ctx.transaction(`t${n}`, (em) => pay(em, `t${n}`)).then(noted(`t${n}`)),
          ),
          ...Array.from({ length: 4 }, (_, n) => ctx.step(`s${n}`, () => n).then(noted(`s${n}`))),
          ctx.sleep('sleeps', 1).then(noted('sleeps')),
        ]);
        seen.set(ctx.executionId, [...(seen.get(ctx.executionId) ?? []), order.join()]);
        if (ctx.attempt < 3) throw new Error('again');
        return order;
      }
    }
    const { conductor } = await start([Tasks]);
    const handles = await Promise.all(
      Array.from({ length: 8 }, () => conductor.invoke({ name: 'beside' }, 0)),
    );
    for (const handle of handles) {
      const order = await handle.result({ timeout: '20s' });
      expect(order).toHaveLength(9);
      expect(seen.get(handle.id)).toEqual(Array(3).fill((order as string[]).join()));
      const steps = await conductor.steps(handle.id);
      expect(steps.map(({ name }) => name)).toEqual(order);
    }
    expect(await payments()).toHaveLength(32);
  });
});

describe('the option transactions', () => {
  const Tasks = paying((em) => pay(em, 'x'));
  const boot = (options: Omit<TestAppOptions, 'url'>) =>
    startApp({ url: apps.database.url, providers: [Tasks], ...options });
  const dataSource = (url: string, options = {}) =>
    TypeOrmModule.forRoot({ type: 'postgres', url, retryAttempts: 0, ...options });
  const transactions = { dataSource: 'default' };

  it('is by default the DataSource of the connection', async () => {
    const { conductor } = await apps.start({
      connection: { dataSource: 'default' },
      providers: [Tasks],
      modules: [dataSource(apps.database.url, { entities: [Payment], synchronize: true })],
    });
    await conductor.invokeAndWait({ name: 'pay' }, 0, { timeout: '10s' });
    expect(await payments()).toEqual(['x']);
  });

  it('is missed at boot where a @Step needs it, and told by the step where ctx.transaction does', async () => {
    @Injectable()
    class Steps {
      @Step({ transactional: true })
      async first() {}
      @Step({ transactional: true })
      async second() {}
    }
    const boots = boot({ providers: [Steps, Tasks] });
    await expect(boots).rejects.toThrow(InvalidOptionsError);
    await expect(boots).rejects.toThrow(/Steps\.first, Steps\.second are transactional steps/);
    const { conductor } = await apps.start({ providers: [Tasks] });
    await expect(
      conductor.invokeAndWait({ name: 'pay' }, 0, { timeout: '10s' }),
    ).rejects.toMatchObject({ cause: { code: new NoTransactionsError('pay').code } });
  });

  it('is refused when the app has no such DataSource, or it is none', async () => {
    await expect(boot({ transactions: { dataSource: 'other' } })).rejects.toThrow(
      /transactions\.dataSource: the app has no DataSource named "other"/,
    );
  });

  it('is refused where @Tx stands on a method that is no step', async () => {
    @Injectable()
    class Steps {
      async paid(@Tx() _em?: EntityManager) {}
    }
    const boots = boot({ providers: [Steps, Tasks] });
    await expect(boots).rejects.toThrow(InvalidTaskError);
    await expect(boots).rejects.toThrow(/Steps\.paid[^]*has a parameter with @Tx/);
  });

  it('is refused when it leads to another database, to one without the schema, or to a role without rights', async () => {
    const elsewhere = await createTestDatabase();
    apps.keep({ close: () => elsewhere.drop() });
    const refusal = async (url: string) => {
      const error = await boot({ modules: [dataSource(url)], transactions }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(OtherDatabaseError);
      return (error as OtherDatabaseError).reason;
    };
    await expect(refusal(elsewhere.url)).resolves.toBe('invisible');
    await (await startApp({ url: elsewhere.url })).close();
    await expect(refusal(elsewhere.url)).resolves.toBe('other');

    const { url } = apps.database;
    const query = (sql: string) => apps.database.query(sql);
    const role = `reader_${new URL(url).pathname.slice(1)}`;
    await query(`create role ${role} login password 'secret'`);
    const asReader = new URL(url);
    asReader.username = role;
    asReader.password = 'secret';
    try {
      await expect(refusal(asReader.href)).resolves.toBe('invisible');
      await query(`grant usage on schema conductor to ${role}`);
      await query(`grant select on all tables in schema conductor to ${role}`);
      await expect(refusal(asReader.href)).resolves.toBe('refused');
      await query(`grant insert, update on all tables in schema conductor to ${role}`);
      await query(`create table payment (id serial primary key, "orderId" text)`);
      await query(`grant all on payment, payment_id_seq to ${role}`);
      const { conductor } = await apps.start({
        providers: [Tasks],
        modules: [dataSource(asReader.href, { entities: [Payment] })],
        transactions,
      });
      await conductor.invokeAndWait({ name: 'pay' }, 0, { timeout: '10s' });
      expect(await payments()).toEqual(['x']);
    } finally {
      await query(`drop owned by ${role}`);
      await query(`drop role ${role}`);
    }
  });
});
