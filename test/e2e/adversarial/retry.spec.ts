import { randomUUID } from 'node:crypto';
import { Injectable, Scope, type Type } from '@nestjs/common';
import { IsInt } from 'class-validator';
import { z } from 'zod';
import {
  defineTask,
  ExecutionCompletedError,
  ExecutionIdConflictError,
  ExecutionNotEndedError,
  InvalidInvokeError,
  RecordExpiredError,
  Step,
  Task,
  UnknownExecutionError,
  UnknownStepError,
  type ExecutionStatus,
  type TaskContext,
  type TaskOptions,
} from '../../../lib/index.js';
import { movableClock } from '../../support/movable-clock.js';
import { testApps, type TestApp } from '../../support/test-app.js';
import { until } from '../../support/until.js';

const once: TaskOptions = { retry: { maxAttempts: 1 } };

describe('retry and fork', () => {
  const apps = testApps();
  const { start } = apps;

  /** A task whose handler is whatever stands in `code` when it runs. */
  function deployed(
    code: { handle: (ctx: TaskContext, payload: unknown) => Promise<unknown> },
    options: TaskOptions = once,
    queue = 'default',
  ): Type {
    @Injectable()
    class Tasks {
      @Task({ name: 'deployed', queue }, options)
      async handle(event: { payload: unknown }, ctx: TaskContext) {
        return await code.handle(ctx, event.payload);
      }
    }
    return Tasks;
  }
  const reaches = (app: TestApp, id: string, status: ExecutionStatus) =>
    until(async () => {
      const view = await app.conductor.get(id);
      return view?.status === status && view;
    });
  const result = (app: TestApp, id: string) => app.conductor.handle(id).result({ timeout: '30s' });
  async function failedIn(app: TestApp, payload?: unknown): Promise<string> {
    const { id } = await app.conductor.invoke({ name: 'deployed' }, payload);
    await reaches(app, id, 'failed');
    return id;
  }

  it('a retry runs what failed, and nothing that was done; the old one stays failed', async () => {
    const bodies: string[] = [];
    const seen: unknown[] = [];
    let broken = true;
    const app = await start({
      providers: [
        deployed({
          async handle(ctx, payload) {
            const a = await ctx.step('a', () => bodies.push('a') && { at: new Date(5), n: 1n });
            await ctx.sleep('pause', 1);
            const b = await ctx.step('b', () => {
              bodies.push('b');
              if (broken) throw new Error('down');
              return 2;
            });
            seen.push(ctx.attempt, ctx.executionId, ctx.headers);
            return [payload, a, b];
          },
        }),
      ],
    });
    const invoked = await app.conductor.invoke(
      { name: 'deployed' },
      { order: 42 },
      { headers: { trace: 't1' } },
    );
    const { id } = invoked;
    await reaches(app, id, 'failed');
    broken = false;
    const retry = await app.conductor.retry(id);
    expect(retry.outcome).toBe('created');
    await expect(retry.result({ timeout: '30s' })).resolves.toEqual([
      { order: 42 },
      { at: new Date(5), n: 1n },
      2,
    ]);
    expect(bodies).toEqual(['a', 'b', 'b']);
    expect(seen).toEqual([1, retry.id, { trace: 't1' }]);
    await expect(app.conductor.get(id)).resolves.toMatchObject({ status: 'failed' });
    await expect(app.conductor.get(retry.id)).resolves.toMatchObject({
      status: 'completed',
      retryOf: id,
      attempt: 1,
    });
    expect(await app.conductor.get(retry.id)).not.toHaveProperty('forkOf');
    const { items } = await app.conductor.list({ retryOf: id });
    expect(items.map((item) => item.id)).toEqual([retry.id]);
    await expect(app.conductor.list({ forkOf: id })).resolves.toEqual({ items: [] });
  });

  it('a retry that fails too has all its attempts, and is retried itself', async () => {
    let attempts = 0;
    const bodies: string[] = [];
    const app = await start({
      providers: [
        deployed(
          {
            async handle(ctx) {
              attempts += 1;
              await ctx.step('a', () => bodies.push('a'));
              if (attempts < 6) throw new Error(`attempt ${ctx.attempt}`);
              return 'at last';
            },
          },
          { retry: { maxAttempts: 2, backoff: { type: 'fixed', delay: 1 } } },
        ),
      ],
    });
    let id = await failedIn(app);
    for (let n = 0; n < 2; n += 1) {
      ({ id } = await app.conductor.retry(id));
      await until(async () => (await app.conductor.get(id))!.finishedAt);
    }
    await expect(app.conductor.get(id)).resolves.toMatchObject({ result: 'at last', attempt: 2 });
    expect(bodies).toEqual(['a']);
  });

  it('sent again with its id it is the same retry, for whatever else it is refused', async () => {
    const app = await start({
      providers: [deployed({ handle: () => Promise.reject(new Error('no')) })],
    });
    const [id, other] = [await failedIn(app), await failedIn(app)];
    const mine = randomUUID().toUpperCase();
    const handles = await Promise.all([1, 2, 3].map(() => app.conductor.retry(id, { id: mine })));
    expect(handles.map((handle) => handle.outcome).toSorted()).toEqual([
      'created',
      'existing',
      'existing',
    ]);
    for (const wrong of [
      app.conductor.retry(other, { id: mine }),
      app.conductor.retry(id, { id: other }),
    ])
      await expect(wrong).rejects.toBeInstanceOf(ExecutionIdConflictError);
    expect((await app.conductor.list()).items).toHaveLength(3);
  });

  it('of a @Step called twice the second can be forked from, and its changed code runs', async () => {
    const bodies: string[] = [];
    let version = 1;
    @Injectable({ scope: Scope.REQUEST })
    class Orders {
      @Step() async load(id: number) {
        bodies.push(`${id} by ${version}`);
        return id * version;
      }
    }
    @Injectable()
    class Tasks {
      constructor(private readonly orders: Orders) {}
      @Task('sum', once)
      async handle(_event: unknown, ctx: TaskContext) {
        const one = await this.orders.load(1);
        const two = await this.orders.load(2);
        if (version === 2) await ctx.step('added', () => bodies.push('added'));
        const three = await this.orders.load(3);
        return one + two + three;
      }
    }
    const app = await start({ providers: [Orders, Tasks] });
    const first = await app.conductor.invoke<number>({ name: 'sum' });
    await expect(first.result({ timeout: '30s' })).resolves.toBe(6);
    await expect(app.conductor.retry(first.id)).rejects.toBeInstanceOf(ExecutionCompletedError);
    version = 2;
    const [, , last] = await app.conductor.steps(first.id);
    expect(last!.name).toBe('Orders.load#3');
    const fork = await app.conductor.fork<number>(first.id, { fromStep: 'Orders.load#2' });
    await expect(fork.result({ timeout: '30s' })).resolves.toBe(1 + 4 + 6);
    expect(bodies).toEqual(['1 by 1', '2 by 1', '3 by 1', '2 by 2', 'added', '3 by 2']);
    await expect(app.conductor.get(fork.id)).resolves.toMatchObject({
      forkOf: first.id,
      fromStep: 'Orders.load#2',
    });
    expect((await app.conductor.list({ forkOf: first.id })).items).toHaveLength(1);
    expect((await app.conductor.list({ retryOf: first.id })).items).toEqual([]);
    const unknown = app.conductor.fork(first.id, { fromStep: 'Orders.laod' });
    await expect(unknown).rejects.toBeInstanceOf(UnknownStepError);
    await expect(unknown).rejects.toThrow('"Orders.load#2"');
  });

  it('a fork within parallel branches keeps what was seen before, and the errors that were caught', async () => {
    const bodies: string[] = [];
    const app = await start({
      providers: [
        deployed({
          async handle(ctx) {
            const step = (name: string) => ctx.step(name, () => bodies.push(name) && name);
            const caught = await ctx
              .step('bad', () => {
                bodies.push('bad');
                throw new Error('kept');
              })
              .catch((error: Error) => error.message);
            const branches = ['x', 'y'].map(async (name) => {
              await step(`${name}1`);
              return await step(`${name}2`);
            });
            return [caught, ...(await Promise.all(branches)), await step('end')];
          },
        }),
      ],
    });
    const first = await app.conductor.invoke({ name: 'deployed' });
    const whole = await first.result({ timeout: '30s' });
    const order = (await app.conductor.steps(first.id)).map(({ name }) => name);
    bodies.length = 0;
    const fork = await app.conductor.fork(first.id, { fromStep: 'x2' });
    await expect(fork.result({ timeout: '30s' })).resolves.toEqual(whole);
    expect(bodies.toSorted()).toEqual(order.slice(order.indexOf('x2')).toSorted());
    expect(bodies).not.toContain('bad');
  });

  it('a fork whose code before its step has changed is blocked, and cannot be retried before it has ended', async () => {
    const bodies: string[] = [];
    let names = ['a', 'b', 'c'];
    const app = await start({
      providers: [
        deployed({
          async handle(ctx) {
            for (const name of names) await ctx.step(name, () => bodies.push(name));
            return names.join('');
          },
        }),
      ],
    });
    const first = await app.conductor.invoke({ name: 'deployed' });
    await first.result({ timeout: '30s' });
    names = ['renamed', 'c'];
    const { id } = await app.conductor.fork(first.id, { fromStep: 'c' });
    await reaches(app, id, 'blocked');
    expect(bodies).toEqual(['a', 'b', 'c']);
    const refused = app.conductor.retry(id);
    await expect(refused).rejects.toBeInstanceOf(ExecutionNotEndedError);
    await expect(refused).rejects.toThrow('resume');
    names = ['a', 'b', 'c', 'd'];
    await app.conductor.resume(id);
    await expect(result(app, id)).resolves.toBe('abcd');
    expect(bodies).toEqual(['a', 'b', 'c', 'c', 'd']);
  }, 60_000);

  it('what the deadline ended while it slept goes on sleeping, with a deadline of its own', async () => {
    const bodies: string[] = [];
    const app = await start({
      providers: [
        deployed(
          {
            async handle(ctx) {
              await ctx.step('charge', () => bodies.push('charge'));
              await ctx.sleep('long', '90m');
              return 'slept';
            },
          },
          { ...once, deadline: '1h' },
        ),
      ],
    });
    const clock = movableClock(apps.database);
    await clock.install();
    const { id } = await app.conductor.invoke({ name: 'deployed' });
    await reaches(app, id, 'suspended');
    await clock.advance(3_600_000);
    await reaches(app, id, 'failed');
    const retry = await app.conductor.retry(id);
    const { runAt } = await reaches(app, retry.id, 'suspended');
    const left = runAt!.getTime() - (await clock.now());
    expect(left).toBeGreaterThan(20 * 60_000);
    expect(left).toBeLessThanOrEqual(30 * 60_000);
    await clock.advance(30 * 60_000);
    await expect(retry.result({ timeout: '30s' })).resolves.toBe('slept');
    expect(bodies).toEqual(['charge']);
  }, 60_000);

  it('sleepUntil keeps its instant in a retry', async () => {
    const app = await start({
      providers: [
        deployed(
          {
            async handle(ctx) {
              const at = new Date(Number(await ctx.step('at', () => Date.now() + 2 * 3_600_000)));
              await ctx.sleepUntil('opening', at);
              return 'open';
            },
          },
          { ...once, deadline: '1h' },
        ),
      ],
    });
    const clock = movableClock(apps.database);
    await clock.install();
    const { id } = await app.conductor.invoke({ name: 'deployed' });
    await reaches(app, id, 'suspended');
    await clock.advance(3_600_000);
    await reaches(app, id, 'failed');
    await clock.advance(2 * 3_600_000);
    const retry = await app.conductor.retry(id);
    await expect(retry.result({ timeout: '30s' })).resolves.toBe('open');
  }, 60_000);

  it('X8 a contract that has changed is checked as it is now; what was parsed and recorded stays', async () => {
    let schema: z.ZodType = z.object({ n: z.number() });
    const contract = defineTask({
      name: 'contract',
      payload: {
        '~standard': {
          version: 1 as const,
          vendor: 'test',
          validate: (value: unknown) => schema['~standard'].validate(value),
        },
      },
    });
    class Dto {
      @IsInt() n!: number;
    }
    const dto = defineTask({ name: 'dto', payload: Dto });
    let broken = true;
    @Injectable()
    class Tasks {
      @Task(contract, once)
      async contract({ payload }: { payload: unknown }, ctx: TaskContext) {
        await ctx.step('a', () => 1);
        if (broken) throw new Error('no');
        await ctx.step('b', () => 2);
        return payload;
      }
      @Task(dto, once)
      async dto({ payload }: { payload: Dto }, ctx: TaskContext) {
        await ctx.step('a', () => 1);
        if (broken) throw new Error('no');
        return payload instanceof Dto && payload.n;
      }
    }
    const app = await start({ providers: [Tasks] });
    const plain = await app.conductor.invoke({ name: 'contract' }, { n: 1 });
    const typed = await app.conductor.invoke({ name: 'dto' }, { n: 7 });
    for (const { id } of [plain, typed]) await reaches(app, id, 'failed');
    schema = z.object({ n: z.string() });
    const misfit = await app.conductor.retry(plain.id);
    const { error } = await reaches(app, misfit.id, 'failed');
    expect(error).toMatchObject({ code: 'CONDUCTOR_PAYLOAD_INVALID' });
    broken = false;
    schema = z.object({ n: z.number().transform((n) => n + 1) });
    const mended = await app.conductor.retry(misfit.id);
    await expect(mended.result({ timeout: '30s' })).resolves.toEqual({ n: 2 });
    schema = z.object({ n: z.number().transform((n) => n + 100) });
    const parsedBefore = await app.conductor.fork(mended.id, { fromStep: 'b' });
    await expect(parsedBefore.result({ timeout: '30s' })).resolves.toEqual({ n: 2 });
    await expect((await app.conductor.retry(typed.id)).result({ timeout: '30s' })).resolves.toBe(7);
  });

  it('what was cancelled goes on when it is retried, with what is left of its sleep', async () => {
    const bodies: string[] = [];
    const app = await start({
      providers: [
        deployed({
          async handle(ctx) {
            const drawn = await ctx.uuid();
            await ctx.step('a', () => bodies.push('a'));
            await ctx.sleep('long', '1h');
            return drawn;
          },
        }),
      ],
    });
    const clock = movableClock(apps.database);
    await clock.install();
    const { id } = await app.conductor.invoke({ name: 'deployed' });
    await reaches(app, id, 'suspended');
    await expect(app.conductor.cancel(id)).resolves.toBe('cancelled');
    const [drawn] = await app.conductor.steps(id);
    const [retried] = await app.conductor.retryMany({ status: 'cancelled' });
    await reaches(app, retried!.id, 'suspended');
    await clock.advance(3_600_000);
    await expect(result(app, retried!.id)).resolves.toBe(drawn!.result);
    await expect(app.conductor.get(id)).resolves.toMatchObject({ status: 'cancelled' });
    expect(bodies).toEqual(['a']);
  }, 60_000);

  it('retryMany retries each once, what failed again in its turn, and only what the filter names', async () => {
    let broken = true;
    const handle = () => (broken ? Promise.reject(new Error('down')) : Promise.resolve('up'));
    @Injectable()
    class Other {
      @Task({ name: 'other', queue: 'second' }, once)
      async handle() {
        return await handle();
      }
    }
    const app = await start({
      queues: { default: {}, second: {} },
      providers: [deployed({ handle }), Other],
    });
    const { conductor } = app;
    const handles = await conductor.invokeMany(
      { name: 'deployed' },
      Array.from({ length: 250 }, (_, payload) => ({ payload })),
    );
    const other = await conductor.invoke({ name: 'other', queue: 'second' });
    const left = async () => {
      await app.orchestrator.drain();
      const queues = await conductor.queues();
      return queues.reduce((sum, queue) => sum + queue.pending + queue.running, 0);
    };
    await until(async () => (await left()) === 0);
    await expect(conductor.retryMany({ task: 'unknown' })).resolves.toEqual([]);
    await expect(conductor.retryMany({ status: 'cancelled' })).resolves.toEqual([]);
    await expect(conductor.retryMany({ since: new Date(Date.now() + 60_000) })).resolves.toEqual(
      [],
    );
    const few = await conductor.retryMany({ task: 'deployed', limit: 10 });
    expect(few).toHaveLength(10);
    await until(async () => (await left()) === 0);
    // two at once share them: those whose retry failed are not meant, their retries are
    const shared = (
      await Promise.all([1, 2].map(() => conductor.retryMany({ queue: 'default' })))
    ).flat();
    const meant = [...handles.map(({ id }) => id), ...few.map(({ id }) => id)].filter(
      (id) => !few.some(({ retryOf }) => retryOf === id),
    );
    expect(shared.map(({ retryOf }) => retryOf).toSorted()).toEqual(meant.toSorted());
    await until(async () => (await left()) === 0);
    broken = false;
    const last = await conductor.retryMany({});
    expect(last).toHaveLength(251);
    expect(last.map(({ retryOf }) => retryOf)).toContain(other.id);
    await until(async () => (await left()) === 0);
    await expect(conductor.retryMany({})).resolves.toEqual([]);
    await expect(conductor.get(last[0]!.id)).resolves.toMatchObject({ result: 'up' });
  }, 60_000);

  it('a client without a worker retries, and what it asks for wrongly is refused by name', async () => {
    let broken = true;
    const code = { handle: () => (broken ? Promise.reject(new Error('no')) : Promise.resolve(1)) };
    const app = await start({ providers: [deployed(code, { ...once, retention: { failed: 0 } })] });
    const client = await start({ role: 'client' });
    const id = await failedIn(app);
    const { conductor } = client;
    broken = false;
    const retry = await conductor.retry<number>(id);
    await expect(retry.result({ timeout: '30s' })).resolves.toBe(1);
    await expect(conductor.retry(randomUUID())).rejects.toBeInstanceOf(UnknownExecutionError);
    for (const wrong of [
      conductor.retry('42'),
      conductor.retry(id, { id: '42' }),
      conductor.retry(id, { fromStep: 'a' } as never),
      conductor.fork(id, {} as never),
      conductor.fork(id, { fromStep: '' }),
      conductor.retryMany('all' as never),
      conductor.retryMany({ status: 'completed' as never }),
      conductor.retryMany({ limit: 0 }),
      conductor.list({ retryOf: 'x' }),
    ])
      await expect(wrong).rejects.toBeInstanceOf(InvalidInvokeError);
    await movableClock(apps.database).install();
    await movableClock(apps.database).advance(10_000);
    await until(async () => (await conductor.get(id))!.pruned);
    await expect(conductor.retry(id)).rejects.toBeInstanceOf(RecordExpiredError);
  }, 60_000);
});
