import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { statusCode } from '../../lib/execution/execution-status.js';
import { Task, type TaskContext } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { testApps, type TestApp } from '../support/test-app.js';
import { until } from '../support/until.js';

describe('what is claimed ahead', () => {
  const apps = testApps();
  let running = 0;
  let most = 0;
  let gate: Gate;
  let begun: string[];
  let blocked: number;
  let blockedBeforeTurn: number;
  const requests = new AsyncLocalStorage<string>();
  let stores: unknown[];
  let fences: number[];
  let blockedBefore: number | undefined;

  @Injectable()
  class Tasks {
    @Task('quick')
    async quick({ payload }: { payload: string }) {
      begun.push(payload);
      most = Math.max(most, ++running);
      await Promise.resolve();
      running -= 1;
    }

    @Task('held')
    async held() {
      await gate.pass();
    }

    @Task('blocks')
    blocks({ payload: ms }: { payload: number }) {
      blocked += 1;
      if (blocked === 2) setImmediate(() => (blockedBeforeTurn = blocked));
      for (const end = performance.now() + ms; performance.now() < end;);
    }

    @Task('fenced')
    fenced(_: unknown, ctx: TaskContext) {
      fences.push(ctx.fence);
    }

    @Task('elsewhere', { queue: 'other' })
    elsewhere() {
      blockedBefore = blocked;
    }

    @Task('blocks beyond')
    blocksBeyond({ payload: instant }: { payload: number }) {
      // the worker's idea of the database's time is late by as much as a claim's reply was on its way
      while (Date.now() < instant + 400);
    }

    @Task('sleeps until')
    async sleepsUntil({ payload: instant }: { payload: number }, ctx: TaskContext) {
      fences.push(ctx.fence);
      await ctx.sleepUntil('instant', new Date(instant));
    }

    @Task('enters')
    enters({ payload }: { payload: string }) {
      stores.push(requests.getStore());
      requests.enterWith(payload);
    }

    @Task('steps that enter')
    async stepsThatEnter(_: unknown, ctx: TaskContext) {
      const enter = (name: string) =>
        ctx.step(name, () => {
          stores.push(requests.getStore());
          requests.enterWith(name);
        });
      await Promise.all(['one', 'two', 'three'].map(enter));
    }
  }

  /** Until so many that are not finished have been claimed, though they may have gone back since. */
  const claimed = (count: number) =>
    until(async () => {
      const [row] = await apps.database.query<{ n: number }>(
        `select count(*)::int as n from conductor.run where claims > 0`,
      );
      return row!.n === count;
    });

  const outcomes = (count: number, status: number) =>
    until(async () => {
      const [row] = await apps.database.query<{ n: number }>(
        `select count(*)::int as n from conductor.outcome where status = $1`,
        [status],
      );
      return row!.n === count;
    });
  const ended = (count: number) => outcomes(count, statusCode.completed);
  const failed = (count: number) => outcomes(count, statusCode.failed);

  /** So that the worker knows how fast its handlers are. */
  const warmUp = async (app: TestApp, count = 200) => {
    await app.conductor.invokeMany(
      { name: 'quick' },
      Array.from({ length: count }, () => ({ payload: 'warm' })),
    );
    await ended(count);
    begun = [];
    most = 0;
  };

  beforeEach(() => {
    running = 0;
    most = 0;
    begun = [];
    blocked = 0;
    stores = [];
    fences = [];
    blockedBefore = undefined;
    gate = new Gate();
  });

  it('W1 begins within the concurrency of its queue, in the order of the claim', async () => {
    const app = await apps.start({ providers: [Tasks], queues: { default: { concurrency: 3 } } });
    await warmUp(app);
    const payloads = Array.from({ length: 500 }, (_, n) => `${n}`);
    await app.conductor.invokeMany(
      { name: 'quick' },
      payloads.map((payload) => ({ payload })),
    );
    await ended(700);
    expect(most).toBeLessThanOrEqual(3);
    expect(begun.toSorted((a, b) => +a - +b)).toEqual(payloads);
    // on a machine that is held up some go back, and lose their place for a while
    const once = await apps.database.query<{ payload: string }>(
      `select e.payload #>> '{}' as payload from conductor.outcome o join conductor.execution e using (id)
       where o.claims = 1 and e.payload #>> '{}' <> 'warm'`,
    );
    expect(once.length).toBeGreaterThan(100);
    const claimedOnce = new Set(once.map(({ payload }) => payload));
    const inOrder = payloads.filter((payload) => claimedOnce.has(payload));
    expect(begun.filter((payload) => claimedOnce.has(payload))).toEqual(inOrder);
    const [row] = await apps.database.query<{ tokens: number }>(
      `select count(distinct token)::int as tokens from conductor.outcome`,
    );
    expect(row!.tokens).toBeLessThan(700 / 3); // claims, each of which brought more than there are slots
  });

  it('goes back when handlers turn out to be slow, and another worker takes it', async () => {
    const first = await apps.start({ providers: [Tasks], queues: { default: { concurrency: 2 } } });
    await warmUp(first);
    await first.conductor.invokeMany({ name: 'held' }, [{ payload: null }, { payload: null }]);
    await gate.reached;
    await first.conductor.invokeMany(
      { name: 'quick' },
      Array.from({ length: 20 }, (_, n) => ({ payload: `${n}` })),
    );
    await claimed(22);
    await apps.start({ providers: [Tasks], queues: { default: { concurrency: 2 } } });
    await ended(220);
    expect(begun).toHaveLength(20);
    gate.open();
    await ended(222);
  });

  it('K3 goes back unbegun at a shutdown: same place, same attempt', async () => {
    const first = await apps.start({ providers: [Tasks], queues: { default: { concurrency: 1 } } });
    await warmUp(first);
    await first.conductor.invokeMany({ name: 'held' }, [{ payload: null }]);
    await first.conductor.invokeMany(
      { name: 'quick' },
      Array.from({ length: 20 }, (_, n) => ({ payload: `${n}` })),
    );
    await claimed(21);
    const closing = first.app.close();
    await until(() => first.orchestrator.info.isShuttingDown);
    gate.open();
    await closing;
    expect(begun).toEqual([]);
    const rows = await apps.database.query<{ failures: number; losses: number }>(
      `select distinct failures, losses from conductor.run`,
    );
    expect(rows).toEqual([{ failures: 0, losses: 0 }]);
  });

  it('leaves the event loop a turn between handlers that block it', async () => {
    const app = await apps.start({ providers: [Tasks], queues: { default: { concurrency: 1 } } });
    await warmUp(app);
    await app.conductor.invokeMany(
      { name: 'blocks' },
      Array.from({ length: 30 }, () => ({ payload: 20 })),
    );
    await ended(230);
    expect(blockedBeforeTurn).toBeLessThan(5);
  });

  it('begins outside of the AsyncLocalStorage that another handler or step has entered', async () => {
    const app = await apps.start({ providers: [Tasks] });
    await warmUp(app);
    await app.conductor.invoke({ name: 'enters' }, 'before');
    await ended(201);
    await app.conductor.invokeMany(
      { name: 'enters' },
      Array.from({ length: 20 }, (_, n) => ({ payload: `${n}` })),
    );
    await ended(221);
    const execution = await app.conductor.invoke({ name: 'steps that enter' });
    await execution.result({ timeout: '20s' });
    expect(stores).toEqual(Array(24).fill(undefined));
  });

  it('expires where it did not begin, although it was claimed', async () => {
    const app = await apps.start({ providers: [Tasks], queues: { default: { concurrency: 1 } } });
    await warmUp(app);
    await app.conductor.invokeMany({ name: 'held' }, [{ payload: null }]);
    const executions = await app.conductor.invokeMany(
      { name: 'quick' },
      ['a', 'b'].map((payload) => ({ payload, expireAfter: '200ms' })),
    );
    await claimed(3);
    await failed(2);
    await expect(executions[0]!.result()).rejects.toThrow('ExpiredError');
    gate.open();
    await ended(201);
    expect(begun).toEqual([]);
  });

  it('does not begin once its time is over', async () => {
    const app = await apps.start({ providers: [Tasks], queues: { default: { concurrency: 1 } } });
    await warmUp(app);
    await app.conductor.invokeMany({ name: 'held' }, [{ payload: null }]);
    await app.conductor.invoke({ name: 'blocks' }, 300);
    await app.conductor.invoke({ name: 'quick' }, 'expired', { expireAfter: '150ms' });
    await app.conductor.invoke({ name: 'quick' }, 'late', { deadline: '150ms' });
    await claimed(4);
    gate.open();
    await ended(202);
    await failed(2);
    expect(begun).toEqual([]);
  });

  it('does not sleep until an instant that has passed while it waited', async () => {
    const app = await apps.start({ providers: [Tasks], queues: { default: { concurrency: 1 } } });
    await warmUp(app);
    await app.conductor.invokeMany({ name: 'held' }, [{ payload: null }]);
    const instant = Date.now() + 200;
    await app.conductor.invoke({ name: 'blocks beyond' }, instant);
    await app.conductor.invoke({ name: 'sleeps until' }, instant);
    await claimed(3);
    gate.open();
    await ended(203);
    expect(fences).toHaveLength(1);
  });

  it('lets a queue begin beside one whose handlers fill every burst', async () => {
    const app = await apps.start({
      providers: [Tasks],
      queues: { default: { concurrency: 20 }, other: { concurrency: 1 } },
      autoStart: false,
    });
    // each is a burst of its own; the first claim brings all of them, together less than what waits ahead may wait for
    await app.conductor.invokeMany(
      { name: 'blocks' },
      Array.from({ length: 16 }, () => ({ payload: 11 })),
    );
    await app.conductor.invoke({ name: 'elsewhere', queue: 'other' });
    await app.orchestrator.start();
    await ended(17);
    expect(blockedBefore).toBe(1);
  });

  it('does not begin once a handler of another queue has taken its time', async () => {
    const app = await apps.start({
      providers: [Tasks],
      queues: { default: { concurrency: 1 }, other: { concurrency: 1 } },
      autoStart: false,
    });
    await app.conductor.invoke({ name: 'blocks' }, 800);
    const invoke = { name: 'elsewhere', queue: 'other' };
    const execution = await app.conductor.invoke(invoke, null, { expireAfter: '500ms' });
    await app.orchestrator.start();
    await expect(execution.result({ timeout: '20s' })).rejects.toThrow('ExpiredError');
    expect(blockedBefore).toBeUndefined();
  });

  it('FZ1 does not begin when the process stood still for longer than its lease', async () => {
    const app = await apps.start({
      providers: [Tasks],
      queues: { default: { concurrency: 1 } },
      lease: '1s',
    });
    await warmUp(app);
    await app.conductor.invokeMany({ name: 'held' }, [{ payload: null }]);
    await app.conductor.invoke({ name: 'blocks' }, 1_500);
    await app.conductor.invokeMany(
      { name: 'fenced' },
      Array.from({ length: 5 }, () => ({ payload: null })),
    );
    await claimed(7);
    gate.open();
    await ended(207);
    expect(fences).toHaveLength(5);
    expect(Math.min(...fences)).toBe(2);
  });
});
