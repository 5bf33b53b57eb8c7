import { Injectable, Module } from '@nestjs/common';
import { z } from 'zod';
import {
  Conductor,
  defineTask,
  DuplicateTaskError,
  ExecutionFailedError,
  NonRetryableError,
  PayloadInvalidError,
  RetryAfterError,
  Task,
  type TaskContext,
  type TaskEvent,
} from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { testApps } from '../support/test-app.js';
import { movableClock } from '../support/movable-clock.js';
import { until } from '../support/until.js';

const quick = { type: 'fixed', delay: 1, jitter: 0 } as const;

describe('an execution', () => {
  const apps = testApps();
  const { start } = apps;

  it('X1 runs its handler exactly once, with the payload and the services of the custom context', async () => {
    const greeted: string[] = [];
    @Injectable()
    class Greeter {
      greet(name: string): string {
        greeted.push(name);
        return `Hello ${name}`;
      }
    }
    @Injectable()
    class AppContext {
      constructor(readonly greeter: Greeter) {}
    }
    const greet = defineTask({
      name: 'greet',
      payload: z.object({ name: z.string() }),
      returns: z.string(),
    });
    @Injectable()
    class GreetTasks {
      @Task(greet)
      async handle(event: TaskEvent<typeof greet>, ctx: TaskContext<AppContext>) {
        return ctx.greeter.greet(event.payload.name);
      }
    }
    const { conductor } = await start({ context: AppContext, providers: [GreetTasks, Greeter] });
    const handle = await conductor.invoke(greet, { name: 'World' });
    await expect(handle.result({ timeout: '10s' })).resolves.toBe('Hello World');
    expect(greeted).toEqual(['World']);
    expect(handle.outcome).toBe('created');
    await expect(handle.status()).resolves.toMatchObject({
      status: 'completed',
      attempt: 1,
      losses: 0,
      task: 'greet',
      queue: 'default',
      payload: { name: 'World' },
      result: 'Hello World',
    });
  });

  it('X2 runs on a queue of its own, and waits untouched where no worker serves its queue or knows its task', async () => {
    @Injectable()
    class MailTasks {
      running = 0;
      most = 0;
      @Task({ name: 'mail', queue: 'emails' })
      async mail() {
        this.most = Math.max(this.most, (this.running += 1));
        await new Promise((resolve) => setImmediate(resolve));
        this.running -= 1;
        return 'sent';
      }
    }
    const first = await start({ queues: { emails: { concurrency: 2 } }, providers: [MailTasks] });
    const unserved = await first.conductor.invoke({ name: 'mail', queue: 'nobody' }, 1);
    const unknown = await first.conductor.invoke({ name: 'not-yet', queue: 'emails' }, 2);
    const mails = await first.conductor.invokeMany(
      { name: 'mail', queue: 'emails' },
      Array.from({ length: 20 }, (_, payload) => ({ payload })),
    );
    await Promise.all(mails.map((mail) => mail.result({ timeout: '10s' })));
    expect(first.app.get(MailTasks).most).toBe(2);
    for (const handle of [unserved, unknown]) {
      await expect(handle.status()).resolves.toMatchObject({
        status: 'pending',
        attempt: 1,
        losses: 0,
      });
    }

    @Injectable()
    class LateTasks {
      @Task({ name: 'not-yet', queue: 'emails' })
      late(event: { payload: unknown }) {
        return event.payload;
      }
    }
    await start({ queues: { emails: { concurrency: 2 } }, providers: [LateTasks] });
    await expect(unknown.result({ timeout: '10s' })).resolves.toBe(2);
    await expect(unserved.status()).resolves.toMatchObject({ status: 'pending', attempt: 1 });
  });

  it('X3 refuses to boot when two methods handle one task, and names both; one name on two queues is two tasks', async () => {
    @Injectable()
    class A {
      @Task('same')
      one() {}
    }
    @Injectable()
    class B {
      @Task({ name: 'same' })
      two() {}
    }
    @Injectable()
    class C {
      @Task({ name: 'same', queue: 'other' })
      three() {
        return 'other';
      }
    }
    const boot = start({ providers: [A, B] });
    await expect(boot).rejects.toBeInstanceOf(DuplicateTaskError);
    await expect(boot).rejects.toThrow(/A\.one.*B\.two/);
    const { conductor } = await start({ providers: [A, C], queues: { default: {}, other: {} } });
    await expect(
      conductor.invokeAndWait({ name: 'same', queue: 'other' }, 0, { timeout: '10s' }),
    ).resolves.toBe('other');
    await expect(
      conductor.invokeAndWait({ name: 'same' }, 0, { timeout: '10s' }),
    ).resolves.toBeUndefined();
  });

  it('X6 is tried again after failures, with the policy’s waits on the database clock, and sees the number of its attempt', async () => {
    const attempts: number[] = [];
    @Injectable()
    class Tasks {
      @Task('flaky', {
        retry: {
          maxAttempts: 3,
          backoff: { type: 'exponential', delay: '10m', factor: 2, jitter: 0 },
        },
      })
      flaky(_event: unknown, ctx: TaskContext) {
        attempts.push(ctx.attempt);
        if (ctx.attempt < 3) throw new Error(`attempt ${ctx.attempt} fails`);
        return ctx.attempt;
      }
    }
    const clock = movableClock(apps.database);
    const { conductor } = await start({ providers: [Tasks] });
    await clock.install();
    const handle = await conductor.invoke({ name: 'flaky' });
    const waiting = (attempt: number) =>
      until(async () => {
        const view = await handle.status();
        return view.attempt === attempt && view.status === 'pending' && view;
      });
    const second = await waiting(2);
    expect(second.error).toMatchObject({ message: 'attempt 1 fails' });
    expect(second.runAt!.getTime() - (await clock.now())).toBeGreaterThan(9 * 60_000);
    await clock.advance(9 * 60_000);
    expect((await handle.status()).status).toBe('pending');
    await clock.advance(60_000);
    const third = await waiting(3);
    expect(third.runAt!.getTime() - (await clock.now())).toBeGreaterThan(19 * 60_000);
    await clock.advance(20 * 60_000);
    await expect(handle.result({ timeout: '20s' })).resolves.toBe(3);
    expect(attempts).toEqual([1, 2, 3]);
  });

  it('X7 fails for good when its attempts are used up, at once for a NonRetryableError, and stays failed over restarts', async () => {
    const ran: string[] = [];
    @Injectable()
    class Tasks {
      @Task('hopeless', { retry: { maxAttempts: 2, backoff: quick } })
      hopeless(_event: unknown, ctx: TaskContext) {
        ran.push(`hopeless ${ctx.attempt}`);
        throw new RangeError('never works');
      }
      @Task('final', { retry: { maxAttempts: 5, backoff: quick } })
      final() {
        ran.push('final');
        throw new NonRetryableError('bad order');
      }
      @Task('final-step', { retry: { maxAttempts: 5, backoff: quick } })
      async finalStep(_event: unknown, ctx: TaskContext) {
        await ctx.step('check', () => {
          ran.push('final-step');
          throw new NonRetryableError('bad step');
        });
      }
    }
    const first = await start({ providers: [Tasks] });
    const hopeless = await first.conductor.invoke({ name: 'hopeless' });
    const final = await first.conductor.invoke({ name: 'final' });
    const finalStep = await first.conductor.invoke({ name: 'final-step' });
    const failed = await hopeless.result({ timeout: '10s' }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(ExecutionFailedError);
    expect((failed as Error).cause).toMatchObject({ name: 'RangeError', message: 'never works' });
    await expect(final.result({ timeout: '10s' })).rejects.toBeInstanceOf(ExecutionFailedError);
    await expect(finalStep.result({ timeout: '10s' })).rejects.toBeInstanceOf(ExecutionFailedError);
    expect(ran.sort()).toEqual(['final', 'final-step', 'hopeless 1', 'hopeless 2']);
    await first.close();

    const { conductor, orchestrator } = await start({ providers: [Tasks] });
    await orchestrator.drain();
    await expect(conductor.get(hopeless.id)).resolves.toMatchObject({
      status: 'failed',
      attempt: 2,
      error: { name: 'RangeError' },
    });
    await expect(conductor.get(final.id)).resolves.toMatchObject({ status: 'failed', attempt: 1 });
    expect(ran).toHaveLength(4);
  });

  it('X7 does not try again before the time a RetryAfterError asks for', async () => {
    @Injectable()
    class Tasks {
      @Task('limited', { retry: { maxAttempts: 3, backoff: quick } })
      limited(_event: unknown, ctx: TaskContext) {
        if (ctx.attempt === 1) throw new RetryAfterError('90s');
        return ctx.attempt;
      }
    }
    const clock = movableClock(apps.database);
    const { conductor, orchestrator } = await start({ providers: [Tasks] });
    await clock.install();
    const handle = await conductor.invoke({ name: 'limited' });
    await until(async () => (await handle.status()).attempt === 2);
    await clock.advance(88_000);
    await orchestrator.drain();
    await expect(handle.status()).resolves.toMatchObject({ status: 'pending', attempt: 2 });
    await clock.advance(3_000);
    await expect(handle.result({ timeout: '20s' })).resolves.toBe(2);
  });

  it('X8 is refused with every problem and its path when the payload does not fit; nothing is written', async () => {
    const order = defineTask({
      name: 'order',
      payload: z.object({ id: z.number(), items: z.array(z.object({ sku: z.string() })) }),
    });
    const { conductor } = await start({ role: 'client' });
    const bad = { id: 'x', items: [{ sku: 1 }] } as never;
    const refused = await conductor.invoke(order, bad).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(PayloadInvalidError);
    expect((refused as PayloadInvalidError).issues.map(({ path }) => path)).toEqual([
      'id',
      'items[0].sku',
    ]);
    await expect(conductor.list()).resolves.toEqual({ items: [] });
  });

  it('X8 fails before its handler when the contract changed while it was queued', async () => {
    const before = defineTask({ name: 'changing', payload: z.object({ id: z.number() }) });
    const after = defineTask({ name: 'changing', payload: z.object({ id: z.string() }) });
    let ran = false;
    @Injectable()
    class Tasks {
      @Task(after)
      handle(_event: TaskEvent<typeof after>) {
        ran = true;
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const failed = await conductor
      .invokeAndWait(before, { id: 1 }, { timeout: '10s' })
      .catch((error: unknown) => error);
    expect((failed as Error).cause).toMatchObject({ code: 'CONDUCTOR_PAYLOAD_INVALID' });
    expect(ran).toBe(false);
  });

  it('gets the payload as its schema made it, the same on every attempt, and a result as its schema made that', async () => {
    let drawn = 0;
    const order = defineTask({
      name: 'order',
      payload: z.object({
        at: z.string().transform((text) => new Date(text)),
        number: z.number().default(() => (drawn += 1)),
      }),
      returns: z.number().transform((n) => `number ${n}`),
    });
    const seen: unknown[] = [];
    @Injectable()
    class Tasks {
      @Task(order, { retry: { maxAttempts: 3, backoff: quick } })
      async handle({ payload }: TaskEvent<typeof order>, ctx: TaskContext) {
        seen.push(payload);
        await ctx.step('first write', () => 1);
        if (ctx.attempt < 3) throw new Error('again');
        return payload.number;
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke(order, { at: '2026-11-24T00:00:00.000Z' });
    const result: string = await handle.result({ timeout: '10s' });
    expect(new Set(seen.map((payload) => JSON.stringify(payload))).size).toBe(1);
    expect(seen).toHaveLength(3);
    expect(seen[0]).toEqual({
      at: new Date('2026-11-24T00:00:00.000Z'),
      number: expect.any(Number),
    });
    expect(result).toBe(`number ${(seen[0] as { number: number }).number}`);
    // what the caller passed is what is stored, and the parsed form is no step
    await expect(handle.status()).resolves.toMatchObject({
      payload: { at: '2026-11-24T00:00:00.000Z' },
    });
    expect((await conductor.steps(handle.id)).map(({ name }) => name)).toEqual(['first write']);
  });

  it('X9 gets an array as one payload, and fields called event, name or __proto__ unchanged', async () => {
    @Injectable()
    class Tasks {
      @Task('echo')
      echo(event: { payload: unknown }) {
        return event.payload;
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const payloads = [
      [1, 2, 3],
      JSON.parse(
        '{"event":1,"name":"conductor.invoke","__proto__":{"x":1},"$date":"no"}',
      ) as unknown,
      null,
      0,
      '',
    ];
    for (const payload of payloads) {
      await expect(
        conductor.invokeAndWait({ name: 'echo' }, payload, { timeout: '10s' }),
      ).resolves.toStrictEqual(payload);
    }
  });

  it('X10 is invoked by a client, run by a worker, and awaited by the client', async () => {
    @Injectable()
    class Tasks {
      @Task('double')
      double(event: { payload: number }) {
        return event.payload * 2;
      }
    }
    const client = await start({ role: 'client', providers: [Tasks] });
    const handle = await client.conductor.invoke({ name: 'double' }, 21);
    expect(client.orchestrator.info).toMatchObject({ role: 'client', isRunning: false });
    await start({ role: 'worker', providers: [Tasks] });
    await expect(handle.result({ timeout: '10s' })).resolves.toBe(42);
  });

  it('X12 runs in order of priority, ties first in first out, negatives last', async () => {
    const order: unknown[] = [];
    const gate = new Gate();
    @Injectable()
    class Tasks {
      @Task('gated')
      gated() {
        return gate.pass();
      }
      @Task('a')
      a(event: { payload: unknown }) {
        order.push(event.payload);
      }
      @Task('b', { priority: 5 })
      b(event: { payload: unknown }) {
        order.push(event.payload);
      }
    }
    const { conductor, orchestrator } = await start({
      providers: [Tasks],
      queues: { default: { concurrency: 1 } },
    });
    await conductor.invoke({ name: 'gated' }, undefined, { priority: 100 });
    await gate.reached;
    await conductor.invoke({ name: 'a' }, 'minus', { priority: -1 });
    await conductor.invoke({ name: 'a' }, 'first');
    await conductor.invoke({ name: 'a' }, 'second');
    await conductor.invoke({ name: 'b' }, 'the task’s own 5');
    await conductor.invoke({ name: 'a' }, 'ten', { priority: 10 });
    await conductor.invoke({ name: 'b' }, 'third', { priority: 0 });
    gate.open();
    await orchestrator.drain();
    expect(order).toEqual(['ten', 'the task’s own 5', 'first', 'second', 'third', 'minus']);
  });

  it('X12 leaves all other slots usable while one of its kind takes long', async () => {
    const gate = new Gate();
    @Injectable()
    class Tasks {
      @Task('long')
      long() {
        return gate.pass();
      }
      @Task('short')
      short() {
        return 'done';
      }
    }
    const { conductor } = await start({
      providers: [Tasks],
      queues: { default: { concurrency: 2 } },
    });
    const long = await conductor.invoke({ name: 'long' });
    await gate.reached;
    const shorts = await conductor.invokeMany(
      { name: 'short' },
      Array.from({ length: 30 }, () => ({ payload: 0 })),
    );
    await Promise.all(shorts.map((short) => short.result({ timeout: '10s' })));
    await expect(long.status()).resolves.toMatchObject({ status: 'running' });
    gate.open();
    await long.result({ timeout: '10s' });
  });

  it('is invoked from another module without importing the conductor’s', async () => {
    @Injectable()
    class Elsewhere {
      constructor(readonly conductor: Conductor) {}
    }
    @Module({ providers: [Elsewhere], exports: [Elsewhere] })
    class OtherModule {}
    const { app } = await start({ modules: [OtherModule], role: 'client' });
    await expect(
      app.get(Elsewhere, { strict: false }).conductor.invoke({ name: 'x' }),
    ).resolves.toMatchObject({ outcome: 'created' });
  });
});
