import { AsyncLocalStorage } from 'node:async_hooks';
import { jest } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { v7 as orderedUuid } from 'uuid';
import { Task, type TaskContext } from '../../lib/index.js';
import { statusCode } from '../../lib/execution/execution-status.js';
import { ExecutionRepository } from '../../lib/persistence/repositories/execution.repository.js';
import { NewExecutionRepository } from '../../lib/persistence/repositories/new-execution.repository.js';
import { channelOf } from '../../lib/persistence/channel.js';
import { Proxy } from '../hazards/harness/proxy.js';
import { Gate } from '../support/gate.js';
import { testApps, type TestAppOptions } from '../support/test-app.js';
import { until } from '../support/until.js';

const claimOf = Object.getOwnPropertyDescriptor(ExecutionRepository.prototype, 'claim')!
  .value as ExecutionRepository['claim'];

/** With the reply that it is accepted: the claim has no part in it. */
describe('an invoke in a process that has a free slot', () => {
  const apps = testApps();
  let seen: string[];
  let fences: number[];
  let gate: Gate;
  let claims: jest.SpiedFunction<ExecutionRepository['claim']>;

  @Injectable()
  class Tasks {
    @Task('quick')
    quick({ payload }: { payload: string }, ctx: TaskContext) {
      seen.push(payload);
      fences.push(ctx.fence);
    }
    @Task('held')
    async held({ payload }: { payload: string }) {
      seen.push(`${payload} begins`);
      await gate.pass();
      seen.push(`${payload} ends`);
    }
  }

  beforeEach(() => {
    seen = [];
    fences = [];
    gate = new Gate();
    claims = jest.spyOn(ExecutionRepository.prototype, 'claim');
  });

  afterEach(() => jest.restoreAllMocks());

  const rows = (id: string) =>
    apps.database.query<{ status: number; claims: number; losses: number }>(
      'select status, claims, losses from conductor.run where id = $1',
      [id],
    );

  /** The statement that accepts this id takes its time, without waiting for a lock: that it would give up. */
  const holding = async (id: string, act: (letGo: () => Promise<void>) => Promise<void>) => {
    const letGo = async () => void (await apps.database.query('delete from held'));
    await apps.database.query(`
      create table held as select '${id}'::uuid as id;
      create function hold() returns trigger language plpgsql as $$
        begin
          while exists (select from public.held h where h.id = new.id) loop perform pg_sleep(0.01); end loop;
          return new;
        end $$;
      create trigger hold before insert on conductor.execution for each row execute function hold()`);
    try {
      await act(letGo);
    } finally {
      await letGo();
    }
  };
  const somebodyWaits = async () => {
    const waiting = await apps.database.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'`,
    );
    return waiting.length > 0;
  };

  /** Its worker has looked for work and found none. Nothing tells it of what comes now, so there are no other claims. */
  const startIdle = async (options: Partial<TestAppOptions> = {}) => {
    const app = await apps.start({ providers: [Tasks], listen: false, ...options });
    await until(() => claims.mock.calls.length > 0);
    await Promise.all(claims.mock.results.map(({ value }) => value as Promise<unknown>));
    return app;
  };

  it('starts without a claim, once, and is as one that was claimed', async () => {
    const app = await startIdle();
    const execution = await app.conductor.invoke({ name: 'quick' }, 'one');
    await execution.result({ timeout: '20s' });
    await expect(execution.status()).resolves.toMatchObject({ status: 'completed', attempt: 1 });
    expect(seen).toEqual(['one']);
    expect(fences).toEqual([1]);
    expect(claims).toHaveBeenCalledTimes(1);
  });

  it('starts as many of a statement as there are slots, in its order, and the others when those have ended', async () => {
    const app = await startIdle({ queues: { default: { concurrency: 2 } } });
    const executions = await app.conductor.invokeMany(
      { name: 'held' },
      ['a', 'b', 'c', 'd'].map((payload) => ({ payload })),
    );
    expect(seen).toEqual(['a begins', 'b begins']);
    const waiting = await Promise.all(executions.slice(2).map(({ id }) => rows(id)));
    expect(waiting.flat()).toMatchObject([
      { status: statusCode.pending },
      { status: statusCode.pending },
    ]);
    gate.open();
    await Promise.all(executions.map((execution) => execution.result({ timeout: '20s' })));
    expect(seen.filter((line) => line.endsWith('ends'))).toHaveLength(4);
  });

  it('starts while a claim is on its way', async () => {
    const sent = new Gate();
    claims.mockImplementationOnce(async function (this: ExecutionRepository, request) {
      await sent.pass();
      return await claimOf.call(this, request);
    });
    const app = await apps.start({ providers: [Tasks], listen: false });
    await sent.reached;
    const execution = await app.conductor.invoke({ name: 'quick' }, 'one');
    await execution.result({ timeout: '20s' });
    expect(claims).toHaveBeenCalledTimes(1);
    sent.open();
  });

  it('keeps to the concurrency of its queue with many statements at once', async () => {
    const app = await startIdle({ queues: { default: { concurrency: 3 } } });
    const executions = await Promise.all(
      Array.from({ length: 8 }, (_, at) =>
        app.conductor.invokeMany({ name: 'held' }, [{ payload: `${at}` }]),
      ),
    );
    await until(() => seen.length >= 3);
    expect(app.orchestrator.info.running).toBe(3);
    expect(seen).toHaveLength(3);
    gate.open();
    await Promise.all(executions.flat().map((execution) => execution.result({ timeout: '20s' })));
  });

  it('runs outside of the caller’s AsyncLocalStorage', async () => {
    const requests = new AsyncLocalStorage<string>();
    const stores: unknown[] = [];
    @Injectable()
    class Looks {
      @Task('looks')
      looks() {
        stores.push(requests.getStore());
      }
    }
    const app = await startIdle({ providers: [Looks] });
    await requests.run('a request', async () => {
      const execution = await app.conductor.invoke({ name: 'looks' });
      await execution.result({ timeout: '20s' });
    });
    expect(stores).toEqual([undefined]);
  });

  it('FC3 starts once when the reply is lost, however long it takes to have one', async () => {
    let cuts = 0;
    const proxy = new Proxy(apps.database.url, {
      // for longer than the two beats after which what is not known is given back
      judge: ({ kind }) => (kind === 'enqueue' && cuts < 7 ? 'cutBeforeReply' : 'pass'),
      cut: () => void (cuts += 1),
    });
    apps.keep(proxy);
    const app = await startIdle({ url: proxy.url, lease: '1s' });
    const execution = await app.conductor.invoke({ name: 'quick' }, 'one');
    expect(execution.outcome).toBe('created');
    await execution.result({ timeout: '20s' });
    expect(seen).toEqual(['one']);
    expect(fences).toEqual([1]);
    expect(claims).toHaveBeenCalledTimes(1);
  });

  it('FC3 is given back and claimed when there is never a reply', async () => {
    let cutting = true;
    const proxy = new Proxy(apps.database.url, {
      judge: ({ kind }) => (kind === 'enqueue' && cutting ? 'cutBeforeReply' : 'pass'),
    });
    apps.keep(proxy);
    const app = await startIdle({ url: proxy.url, lease: '1s' });
    const id = orderedUuid();
    await expect(app.conductor.invoke({ name: 'quick' }, 'one', { id })).rejects.toMatchObject({
      code: 'CONDUCTOR_DATABASE_UNAVAILABLE',
    });
    cutting = false;
    await app.conductor.handle(id).result({ timeout: '20s' });
    expect(seen).toEqual(['one']);
    expect(fences).toEqual([2]);
  });

  it('FZ1 starts nothing when the lease ended before the reply came', async () => {
    const said: string[] = [];
    let vanishing = false;
    const proxy = new Proxy(apps.database.url, {
      judge: ({ kind }) => (vanishing && kind === 'heartbeat' ? 'hold' : 'pass'),
    });
    apps.keep(proxy);
    const app = await startIdle({
      url: proxy.url,
      lease: '1s',
      logger: { log() {}, error() {}, warn: (message) => void said.push(String(message)) },
    });
    const id = orderedUuid();
    let invoking: Promise<unknown> | undefined;
    await holding(id, async (letGo) => {
      invoking = app.conductor.invoke({ name: 'quick' }, 'one', { id });
      await until(somebodyWaits);
      vanishing = true;
      await until(() => said.some((message) => message.includes('lease is about to end')));
      await letGo();
      await invoking;
    });
    await expect(rows(id)).resolves.toMatchObject([{ status: statusCode.running, claims: 1 }]);
    expect(seen).toEqual([]);
    vanishing = false;
    await app.conductor.handle(id).result({ timeout: '20s' });
    expect(fences).toEqual([2]);
  });

  it('FZ1 starts nothing when its worker was given up before the reply came, and has begun anew', async () => {
    const reply = new Gate();
    const app = await startIdle({ lease: '1s' });
    const executions = app.app.get(NewExecutionRepository);
    const enqueue = executions.enqueue.bind(executions);
    jest.spyOn(executions, 'enqueue').mockImplementation(async (...given) => {
      const answer = await enqueue(...given);
      await reply.pass();
      return answer;
    });
    const id = orderedUuid();
    const invoking = app.conductor.invoke({ name: 'quick' }, 'one', { id });
    await reply.reached;
    await apps.database.query('update conductor.worker set dead = true');
    await app.conductor.handle(id).result({ timeout: '20s' });
    reply.open();
    await invoking;
    expect(fences).toEqual([2]);
  });

  it('K5 begins nothing once the stop was announced, which waits for the reply and gives it back', async () => {
    const app = await startIdle();
    const id = orderedUuid();
    let isStopped = false;
    await holding(id, async (letGo) => {
      const invoking = app.conductor.invoke({ name: 'quick' }, 'one', { id });
      await until(somebodyWaits);
      const stopping = app.orchestrator.stop().then(() => (isStopped = true));
      await until(() => app.orchestrator.info.isShuttingDown);
      await apps.database.query('select 1');
      expect(isStopped).toBe(false);
      await letGo();
      await Promise.all([invoking, stopping]);
    });
    await expect(rows(id)).resolves.toMatchObject([
      { status: statusCode.pending, claims: 1, losses: 0 },
    ]);
    expect(seen).toEqual([]);
    await app.orchestrator.start();
    await app.conductor.handle(id).result({ timeout: '20s' });
    expect(fences).toEqual([2]);
  });

  it('keeps its slot from nobody for long while it waits for somebody else’s transaction', async () => {
    const app = await startIdle({ queues: { default: { concurrency: 1 } }, listen: true });
    const other = await apps.start({ role: 'client' });
    const id = orderedUuid();
    await holding(id, async (letGo) => {
      const invoking = app.conductor.invoke({ name: 'quick' }, 'waits', { id });
      await until(somebodyWaits);
      const passes = await other.conductor.invoke({ name: 'quick' }, 'passes');
      await passes.result({ timeout: '3s' }); // sooner than the lock's timeout
      await letGo();
      await invoking;
    });
    await app.conductor.handle(id).result({ timeout: '20s' });
    expect(seen).toEqual(['passes', 'waits']);
  });

  it('leaves others to be told of what came meanwhile and does not start', async () => {
    const app = await startIdle({ queues: { default: { concurrency: 1 } } });
    const listener = new pg.Client(apps.database.url);
    await listener.connect();
    const id = orderedUuid();
    let told = 0;
    try {
      const [queue] = await apps.database.query<{ id: number }>(
        `select id from conductor.queue where name = 'default'`,
      );
      await listener.query(`listen "${channelOf('conductor', queue!.id)}"`);
      listener.on('notification', () => (told += 1));
      await holding(id, async (letGo) => {
        const [, waiting] = [
          app.conductor.invokeMany({ name: 'held' }, [{ payload: 'starts' }]),
          app.conductor.invokeMany({ name: 'quick' }, [{ payload: 'waits', id }]),
        ];
        await until(somebodyWaits);
        await until(() => seen.length > 0);
        await letGo();
        told = 0;
        await waiting;
      });
      await expect(until(() => told > 0, 3_000)).resolves.toBe(true);
    } finally {
      await listener.end();
      gate.open();
    }
  });

  it('is not joined by one that runs alone, which waits until it has ended', async () => {
    const app = await startIdle();
    const id = orderedUuid();
    let alone: string | undefined;
    await holding(id, async (letGo) => {
      const invoking = app.conductor.invoke({ name: 'held' }, 'joined', { id });
      await until(somebodyWaits);
      alone = orderedUuid();
      await apps.database.query(
        `with task as (select id from conductor.task where name = 'quick'),
              execution as (insert into conductor.execution (id, task_id, priority, created_at, payload) select $1, id, 0, now(), '"alone"' from task)
         insert into conductor.run (id, run_at, task_id, priority, status, alone) select $1, now() - interval '1 hour', id, 0, 0, true from task`,
        [alone],
      );
      // claimed, it waits for the process to empty: the invoke on its way counts
      await until(async () => (await rows(alone!))[0]?.status === statusCode.running);
      await letGo();
      await invoking;
      await until(() => seen.length > 0);
      gate.open();
    });
    await app.conductor.handle(alone!).result({ timeout: '20s' });
    expect(seen).toEqual(['joined begins', 'joined ends', 'alone']);
  });
});
