import { setImmediate as turn } from 'node:timers/promises';
import { Injectable, type LoggerService } from '@nestjs/common';
import fc from 'fast-check';
import { SerializationError, Task, type TaskContext } from '../../lib/index.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';
import { sameValue, supported } from '../support/values.js';

const soon = { timeout: '30s' } as const;
const once = { retry: { maxAttempts: 1 } } as const;

describe('a value', () => {
  const apps = testApps('all');

  it('X4 FS1 is the same as payload, as step result on the first run and on a replay, and as result: 1,000 random ones in bulk', async () => {
    const values = fc.sample(supported, { numRuns: 1_000, seed: 4 });
    const wrong: unknown[] = [];
    let replays = 0;
    @Injectable()
    class Tasks {
      @Task('echo', { retry: { maxAttempts: 2, backoff: { type: 'fixed', delay: 1 } } })
      async echo({ payload: { at } }: { payload: { at: number } }, ctx: TaskContext) {
        const { value } = ctx.event.payload as { value: unknown };
        const stepped = await ctx.step('value', () => value);
        for (const seen of [value, stepped])
          if (!sameValue(seen, values[at])) wrong.push([at, seen]);
        if (ctx.attempt === 1) throw new Error('again');
        replays += 1;
        return stepped;
      }
    }
    const { conductor } = await apps.start({
      providers: [Tasks],
      queues: { default: { concurrency: 100 } },
    });
    const handles = await conductor.invokeMany(
      { name: 'echo' },
      values.map((value, at) => ({ payload: { at, value } })),
    );
    const results = await Promise.all(handles.map((handle) => handle.result(soon)));
    expect(wrong).toEqual([]);
    expect(results.filter((result, i) => !sameValue(result, values[i]))).toEqual([]);
    expect(replays).toBe(1_000);
    const { payload, result } = await handles[7]!.status();
    expect(sameValue((payload as { value: unknown }).value, values[7])).toBe(true);
    expect(sameValue(result, values[7])).toBe(true);
  }, 120_000);

  it('X4 that a handler returns is kept as it was: null, 0, an empty text, false, arrays, Dates and bigints; nothing gives undefined', async () => {
    const results = [null, 0, '', false, [], [1, [null]], new Date(7), 12345678901234567890n, -0];
    @Injectable()
    class Tasks {
      @Task('gives')
      gives({ payload }: { payload: number }) {
        return results[payload];
      }
      @Task('nothing')
      nothing() {}
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    for (const [i, result] of results.entries()) {
      const handle = await conductor.invoke({ name: 'gives' }, i);
      await expect(handle.result(soon)).resolves.toStrictEqual(result);
      await expect(handle.result(soon)).resolves.toStrictEqual(result);
      expect((await handle.status()).result).toStrictEqual(result);
    }
    const nothing = await conductor.invoke({ name: 'nothing' });
    await expect(nothing.result(soon)).resolves.toBeUndefined();
    expect((await nothing.status()).status).toBe('completed');
  });

  it('S8 that cannot be stored fails its step, typed and with the path; what is settled in the same batch is not touched', async () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = { again: cycle };
    const bad: [unknown, string][] = [
      [{ a: ['nul \0'] }, 'a[0]'],
      [{ text: 'half \ud83d' }, 'text'],
      [{ '\ude00': 1 }, '["\\ude00"]'],
      [cycle, 'self.again'],
      [{ run: [() => 1] }, 'run[0]'],
      [{ big: 'x'.repeat(1_100_000) }, '(root)'],
    ];
    @Injectable()
    class Tasks {
      @Task('bad-step', once)
      async badStep({ payload }: { payload: number }, ctx: TaskContext) {
        return await ctx
          .step('value', () => bad[payload]![0])
          .catch((error: SerializationError) => [error.code, error.message]);
      }
      @Task('bad-uncaught', { retry: { maxAttempts: 3, backoff: { type: 'fixed', delay: 1 } } })
      async uncaught({ payload }: { payload: number }, ctx: TaskContext) {
        return await ctx.step('value', () => bad[payload]![0]);
      }
      @Task('bad-result', once)
      async badResult({ payload }: { payload: number }) {
        return bad[payload]![0];
      }
      @Task('good', once)
      async good({ payload }: { payload: number }, ctx: TaskContext) {
        return await ctx.step('value', () => `good ${payload}`);
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks], autoStart: false });
    const all = <R>(name: string) =>
      Promise.all(bad.map((_, payload) => conductor.invoke<R>({ name }, payload)));
    const [steps, uncaught, results, goods] = [
      await all<[string, string]>('bad-step'),
      await all('bad-uncaught'),
      await all('bad-result'),
      await all('good'),
    ];
    await (await apps.start({ providers: [Tasks] })).orchestrator.drain();
    for (const [i, [, path]] of bad.entries()) {
      const [code, message] = await steps[i]!.result(soon);
      expect([code, message]).toEqual([
        'CONDUCTOR_SERIALIZATION',
        expect.stringContaining(path === '(root)' ? '1 MB' : path),
      ]);
      for (const failed of [uncaught[i]!, results[i]!]) {
        const view = await failed.status();
        expect(view).toMatchObject({
          status: 'failed',
          attempt: 1,
          error: { name: 'SerializationError', code: 'CONDUCTOR_SERIALIZATION' },
        });
        expect(view.error!.message).toContain(path === '(root)' ? '1 MB' : path);
      }
      await expect(goods[i]!.result(soon)).resolves.toBe(`good ${i}`);
    }
  });
});

describe('what is thrown', () => {
  const apps = testApps('all');

  const trap = () => {
    throw new Error('trap');
  };
  const revoked = (): unknown => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  };
  const cyclic = () => {
    const a = new Error('a');
    const b = new Error('b', { cause: a });
    a.cause = b;
    return a;
  };
  const withGetter = (key: string) => Object.defineProperty(new Error('read'), key, { get: trap });
  const hostile: [string, () => unknown, string][] = [
    ['null', () => null, 'null was thrown'],
    ['undefined', () => undefined, 'undefined was thrown'],
    ['a string', () => 'just text', 'just text'],
    ['an empty string', () => '', ''],
    ['a number', () => 42, '42 was thrown'],
    ['a bigint', () => 7n, '7 was thrown'],
    ['a symbol', () => Symbol('s'), 'Symbol(s) was thrown'],
    ['a function', () => function thrown() {}, 'thrown'],
    ['a class', () => class Thrown {}, 'Thrown'],
    ['an object', () => ({ status: 404 }), '404'],
    ['an object without a prototype', () => Object.create(null) as unknown, 'null prototype'],
    ['a Proxy whose traps throw', () => new Proxy({}, { get: trap, getPrototypeOf: trap, has: trap, ownKeys: trap }), ''],
    ['a Proxy of an error whose traps throw', () => new Proxy(new Error('x'), { get: trap, getPrototypeOf: trap }), ''],
    ['a revoked Proxy', revoked, ''],
    ['an error with a message that throws', () => withGetter('message'), ''],
    ['an error with a name that throws', () => withGetter('name'), 'read'],
    ['an error with a stack that throws', () => withGetter('stack'), 'read'],
    ['an error with a code that throws', () => withGetter('code'), 'read'],
    ['an error with a cause that throws', () => withGetter('cause'), 'read'],
    ['an error with a then that throws', () => withGetter('then'), 'read'],
    ['an error with a cause that is a revoked Proxy', () => new Error('outer', { cause: revoked() }), 'outer'],
    ['errors that cause each other', cyclic, 'a'],
    ['a message of 5 MB', () => new Error('€'.repeat(5_000_000)), '€€'],
    ['NUL and half a surrogate pair', () => new Error('a\0b\ud800'), 'ab'],
    ['an odd name', () => Object.assign(new Error('odd'), { name: { toString: trap } }), 'odd'],
    ['an odd code', () => Object.assign(new Error('odd'), { code: Symbol('c') }), 'odd'],
    ['a message that is no text', () => Object.assign(new Error('x'), { message: { deep: 1 } }), ''],
    ['an AggregateError of such', () => new AggregateError([revoked(), null, new Error('inner')], ''), 'inner'],
    ['an AggregateError that contains itself', () => { const all = new AggregateError([], ''); all.errors = [all, 'inner']; return all; }, 'inner'],
    ['a frozen error', () => Object.freeze(new Error('frozen')), 'frozen'],
    ['an error that says it is the engine’s', () => Object.assign(new Error('no'), { code: 'CONDUCTOR_RETRY_AFTER', delayMs: 'soon' }), 'no'],
  ]; // prettier-ignore

  it('X5 FS1 is recorded all the same, by a handler, by a step and caught from one, and the process lives', async () => {
    @Injectable()
    class Tasks {
      @Task('handler', once)
      handler({ payload }: { payload: number }) {
        throw hostile[payload]![1]();
      }
      @Task('step', once)
      async step({ payload }: { payload: number }, ctx: TaskContext) {
        await ctx.step('body', () => {
          throw hostile[payload]![1]();
        });
      }
      @Task('caught', once)
      async caught({ payload }: { payload: number }, ctx: TaskContext) {
        const seen = await ctx
          .step('body', () => Promise.reject(hostile[payload]![1]())) // oxlint-disable-line typescript/prefer-promise-reject-errors -- what is tested
          .then(
            () => 'nothing',
            (error: Error) => (error instanceof Error ? error.message : typeof error),
          );
        await ctx.step('after', () => 1);
        await ctx.sleep('replayed', 1);
        return seen;
      }
    }
    const { conductor, orchestrator } = await apps.start({ providers: [Tasks] });
    const payloads = hostile.map((_, payload) => ({ payload }));
    const handles = await conductor.invokeMany({ name: 'handler' }, payloads);
    const steps = await conductor.invokeMany({ name: 'step' }, payloads);
    const caught = await conductor.invokeMany({ name: 'caught' }, payloads);
    await orchestrator.drain();
    for (const [i, [what, , text]] of hostile.entries()) {
      for (const handle of [handles[i]!, steps[i]!]) {
        const { status, error } = await handle.status();
        expect([what, status, error]).toEqual([
          what,
          'failed',
          expect.objectContaining({
            name: expect.any(String),
            message: expect.stringContaining(text),
          }),
        ]);
      }
      const seen = await caught[i]!.result(soon);
      expect([what, seen]).toEqual([what, expect.stringContaining(text)]);
    }
    expect(orchestrator.info).toMatchObject({ isRunning: true, running: 0 });
  }, 120_000);

  it('X5 as a subclass with a code and a chain of causes is stored and shown with all of it', async () => {
    class PaymentError extends Error {
      override readonly name = 'PaymentError';
      readonly code = 'CARD_DECLINED';
    }
    @Injectable()
    class Tasks {
      @Task('pays', once)
      pays() {
        const network = new TypeError('socket', { cause: 'unplugged' });
        throw new PaymentError('declined', { cause: new Error('bank', { cause: network }) });
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'pays' });
    const shown = {
      name: 'PaymentError',
      message: 'declined',
      code: 'CARD_DECLINED',
      stack: expect.stringContaining('values.spec'),
      cause: {
        message: 'bank',
        stack: expect.any(String),
        cause: { name: 'TypeError', message: 'socket', cause: { message: 'unplugged' } },
      },
    };
    await expect(handle.result(soon)).rejects.toMatchObject({ cause: shown });
    await expect(handle.status()).resolves.toMatchObject({ status: 'failed', error: shown });
  });
});

describe('FS1 a call of the context that comes too late', () => {
  const apps = testApps('all');

  it('is refused after the end, and after a suspension never answered but told with its execution', async () => {
    const said: string[] = [];
    const logger: LoggerService = {
      log() {},
      error() {},
      warn: (message: unknown, context: unknown) =>
        void said.push(`${String(message)} ${String(context)}`),
    };
    const late: { call: string; ctx: TaskContext }[] = [];
    @Injectable()
    class Tasks {
      @Task('late')
      async handle({ payload }: { payload: string }, ctx: TaskContext) {
        late.push({ call: payload, ctx });
        if (payload === 'suspended') await ctx.sleep('long', '30d');
      }
    }
    const { conductor, orchestrator } = await apps.start({ providers: [Tasks], logger });
    const ended = await conductor.invoke({ name: 'late' }, 'ended');
    await ended.result(soon);
    const suspended = await conductor.invoke({ name: 'late' }, 'suspended');
    await until(async () => (await suspended.status()).status === 'suspended');
    const ctxOf = (call: string) => late.find((one) => one.call === call)!.ctx;
    let ran = 0;
    for (const act of [
      (ctx: TaskContext) => ctx.step('late step', () => (ran += 1)),
      (ctx: TaskContext) => ctx.sleep('late sleep', 1),
      (ctx: TaskContext) => ctx.sleepUntil('late date', new Date(0)),
    ]) {
      await expect(act(ctxOf('ended'))).rejects.toMatchObject({
        code: 'CONDUCTOR_EXECUTION_CLOSED',
      });
      let settled = false;
      void act(ctxOf('suspended')).finally(() => (settled = true));
      for (let i = 0; i < 20; i += 1) await turn();
      expect(settled).toBe(false);
    }
    expect(ran).toBe(0);
    for (const name of ['late step', 'late sleep', 'late date'])
      expect(said).toContainEqual(expect.stringMatching(new RegExp(`"${name}".*${suspended.id}`)));
    await expect(suspended.status()).resolves.toMatchObject({ status: 'suspended' });
    expect(orchestrator.info.running).toBe(0);
  });
});
