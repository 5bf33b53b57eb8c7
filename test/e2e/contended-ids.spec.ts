import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, type EntityManager, type QueryRunner } from 'typeorm';
import { ExecutionIdBusyError, Task, TransactionAbortedError } from '../../lib/index.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

@Injectable()
class Tasks {
  @Task('t')
  async t(event: { payload: number }) {
    return event.payload;
  }
}
const t = { name: 't' };

const apps = testApps();

async function start() {
  const { app, conductor } = await apps.start({
    providers: [Tasks],
    modules: [TypeOrmModule.forRoot({ type: 'postgres', url: apps.database.url })],
  });
  await conductor.invoke(t, 0);
  const source = app.get(DataSource);
  const open: QueryRunner[] = [];
  return {
    conductor,
    source,
    /** A transaction that has invoked this id, and stays open. */
    hold: async (id: string, task = t) => {
      const runner = source.createQueryRunner();
      open.push(runner);
      await runner.startTransaction();
      await conductor.using(runner.manager).invoke(task, 1, { id });
      return runner;
    },
    close: async () => {
      for (const runner of open) {
        if (runner.isTransactionActive) await runner.rollbackTransaction();
        await runner.release();
      }
    },
  };
}

const waitsForALock = () =>
  until(async () => {
    const rows = await apps.database.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    return rows.length > 0;
  });

describe('an id that a transaction has invoked, and that is still open', () => {
  it.each([
    ['commitTransaction', 'existing', 1],
    ['rollbackTransaction', 'created', 2],
  ] as const)(
    'G6 decision 30 holds up the invoke of that id until its %s, which then is %s, and no others',
    async (end, outcome, result) => {
      const { conductor, hold, close } = await start();
      const id = randomUUID();
      const runner = await hold(id);
      const waiting = conductor.invoke(t, 2, { id });
      await waitsForALock();
      // in the same burst, with ids of their own and without
      const others = await Promise.all([
        ...Array.from({ length: 30 }, () => conductor.invoke(t, 3, { id: randomUUID() })),
        ...Array.from({ length: 30 }, () => conductor.invoke(t, 3)),
        conductor.invokeMany(t, [{ payload: 3, id: randomUUID() }]).then(([one]) => one!),
      ]);
      for (const other of others) await expect(other.result({ timeout: '10s' })).resolves.toBe(3);
      await runner[end]();
      const handle = await waiting;
      expect(handle.outcome).toBe(outcome);
      await expect(handle.result({ timeout: '10s' })).resolves.toBe(result);
      await close();
    },
  );

  it('decision 30 is shared by one of a burst: the others of its statement do not wait', async () => {
    const { conductor, hold, close } = await start();
    const ids = Array.from({ length: 20 }, () => randomUUID());
    const runner = await hold(ids[7]!);
    const burst = ids.map((id) => conductor.invoke(t, 2, { id }));
    const others = await Promise.all(burst.filter((_, i) => i !== 7));
    expect(others.map(({ outcome }) => outcome)).toEqual(others.map(() => 'created'));
    await runner.commitTransaction();
    await expect(burst[7]).resolves.toMatchObject({ outcome: 'existing' });
    await close();
  });

  it('decision 30 leaves the pool free, however many wait for it', async () => {
    const { conductor, hold, close } = await start();
    const held = Array.from({ length: 6 }, () => randomUUID());
    const runners = [];
    for (const id of held) runners.push(await hold(id));
    const waiting = held.flatMap((id) => [1, 2, 3, 4].map(() => conductor.invoke(t, 2, { id })));
    await waitsForALock();
    for (let i = 0; i < 20; i += 1)
      await expect(conductor.invokeAndWait(t, i, { timeout: '10s' })).resolves.toBe(i);
    const [row] = await apps.database.query<{ n: number }>(
      `select count(*)::int as n from pg_stat_activity
       where datname = current_database() and application_name = 'nest-conductor' and wait_event_type = 'Lock'`,
    );
    expect(row!.n).toBeLessThanOrEqual(2);
    for (const runner of runners) await runner.commitTransaction();
    for (const { outcome } of await Promise.all(waiting)) expect(outcome).toBe('existing');
    await close();
  });

  it('ends the invoke of that id after 10 s, typed, and nothing was written', async () => {
    const { conductor, hold, close } = await start();
    const [one, many] = [randomUUID(), randomUUID()];
    await hold(one);
    await hold(many);
    const answers = await Promise.allSettled([
      conductor.invoke(t, 2, { id: one }),
      conductor.invokeMany(t, [{ payload: 2 }, { payload: 2, id: many }]),
    ]);
    expect(answers.map((answer) => (answer as PromiseRejectedResult).reason)).toEqual([
      expect.any(ExecutionIdBusyError),
      expect.any(ExecutionIdBusyError),
    ]);
    await close();
    await expect(conductor.list({})).resolves.toMatchObject({ items: { length: 1 } });
  }, 30_000);

  it('of two transactions with one id the second waits, and has what the first has left', async () => {
    const { conductor, source, hold, close } = await start();
    for (const [end, outcome] of [
      ['commitTransaction', 'existing'],
      ['rollbackTransaction', 'created'],
    ] as const) {
      const id = randomUUID();
      const first = await hold(id);
      const second = source.transaction((em) => conductor.using(em).invoke(t, 2, { id }));
      await waitsForALock();
      await first[end]();
      await expect(second).resolves.toMatchObject({ outcome });
    }
    await close();
  });

  it('of two transactions that wait for each other Postgres ends one, and says so', async () => {
    const { conductor, source, hold, close } = await start();
    const [a, b] = [randomUUID(), randomUUID()];
    const first = await hold(a);
    const second = source.transaction(async (em: EntityManager) => {
      await conductor.using(em).invoke(t, 2, { id: b });
      await conductor.using(em).invoke(t, 2, { id: a });
    });
    await waitsForALock();
    const firsts = conductor
      .using(first.manager)
      .invoke(t, 1, { id: b })
      .then(() => first.commitTransaction());
    const answers = await Promise.allSettled([firsts, second]);
    const failed = answers.filter((answer) => answer.status === 'rejected');
    expect(failed).toHaveLength(1);
    expect(failed[0]!.reason).toBeInstanceOf(TransactionAbortedError);
    expect(failed[0]!.reason).toMatchObject({ sqlState: '40P01' });
    await close();
  });

  it('decision 30 a caller’s transaction is no deadlock’s victim: the engine’s own statement gives way', async () => {
    const { conductor, hold, close } = await start();
    const [a, b] = [randomUUID(), randomUUID()].toSorted() as [string, string];
    const runner = await hold(b);
    // inserts a, then waits for b
    const burst = conductor.invokeMany(t, [
      { payload: 2, id: a },
      { payload: 2, id: b },
    ]);
    await waitsForALock();
    await expect(conductor.using(runner.manager).invoke(t, 1, { id: a })).resolves.toMatchObject({
      outcome: 'created',
    });
    await runner.commitTransaction();
    const outcomes = (await burst).map(({ outcome }) => outcome);
    expect(outcomes).toEqual(['existing', 'existing']);
    await close();
  });

  it('of another task that is committed in between: all of the many or none', async () => {
    const { conductor, source, hold, close } = await start();
    const id = randomUUID();
    const runner = await hold(id, { name: 'another' });
    const many = source.transaction((em) =>
      conductor.using(em).invokeMany(t, [{ payload: 2 }, { payload: 2, id }]),
    );
    await waitsForALock();
    await runner.commitTransaction();
    await expect(many).rejects.toMatchObject({ sqlState: '23505' });
    await expect(conductor.list({ task: 't' })).resolves.toMatchObject({ items: { length: 1 } });
    await close();
  });

  it('two transactions with one new task do not wait for each other', async () => {
    const { conductor, source, close } = await start();
    const runners = [source.createQueryRunner(), source.createQueryRunner()];
    for (const runner of runners) {
      await runner.startTransaction();
      await conductor.using(runner.manager).invoke({ name: 'new', queue: 'new' });
    }
    await runners[0]!.rollbackTransaction();
    await runners[1]!.commitTransaction();
    for (const runner of runners) await runner.release();
    await expect(conductor.list({ task: 'new' })).resolves.toMatchObject({ items: { length: 1 } });
    await close();
  });
});
