import { Injectable } from '@nestjs/common';
import {
  InsideStepError,
  InvalidStepError,
  Task,
  type Conductor,
  type TaskContext,
} from '../../lib/index.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

const soon = { timeout: '30s' } as const;
const again = {
  retry: { maxAttempts: 3, backoff: { type: 'fixed', delay: 1, jitter: 0 } },
} as const;

describe('ctx.patched', () => {
  const apps = testApps('all');
  const kindsAndNames = async (conductor: Conductor, id: string) =>
    (await conductor.steps(id)).map(({ kind, name }) => `${kind} ${name}`);

  it('is true on a fresh run, recorded, the same for each call, after a wait and in the next attempt', async () => {
    const answers: boolean[] = [];
    @Injectable()
    class Tasks {
      @Task('fresh', again)
      async handle(_event: unknown, ctx: TaskContext) {
        await ctx.step('before', () => 1);
        answers.push(await ctx.patched('change'), await ctx.patched('change'));
        await ctx.sleep('pause', 20);
        answers.push(await ctx.patched('change'));
        if (ctx.attempt === 1) throw new Error('again');
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    const { id } = await conductor.invoke({ name: 'fresh' });
    await conductor.handle(id).result(soon);
    expect(answers.length).toBeGreaterThan(6);
    expect(new Set(answers)).toEqual(new Set([true]));
    expect(await kindsAndNames(conductor, id)).toEqual([
      'step before',
      'patch ctx.patched:change',
      'sleep pause',
    ]);
  });

  /** Starts it with the old code, and goes on with the new code once it sleeps. */
  async function deployed(
    name: string,
    handler: (ctx: TaskContext, isNew: boolean, bodies: string[]) => Promise<unknown>,
  ) {
    let isNew = false;
    const bodies: string[] = [];
    @Injectable()
    class Tasks {
      @Task(name, again)
      async handle(_event: unknown, ctx: TaskContext) {
        return await handler(ctx, isNew, bodies);
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name });
    await until(async () => (await handle.status()).status === 'suspended');
    isNew = true;
    return { result: await handle.result(soon), bodies, conductor, handle };
  }

  it('is false where the record went past it, in every replay, and writes nothing', async () => {
    const answers: boolean[] = [];
    const { bodies, conductor, handle } = await deployed('old', async (ctx, isNew, ran) => {
      await ctx.step('before', () => ran.push('before'));
      const patched = isNew && (await ctx.patched('change'));
      if (isNew) answers.push(patched);
      await ctx.step(patched ? 'new' : 'old', () => ran.push(patched ? 'new' : 'old'));
      await ctx.sleep('pause', 200);
      await ctx.sleep('more', 1);
      if (ctx.attempt === 1) throw new Error('again');
    });
    expect(answers.length).toBeGreaterThan(2);
    expect(new Set(answers)).toEqual(new Set([false]));
    expect(bodies).toEqual(['before', 'old']);
    expect((await conductor.steps(handle.id)).map(({ kind }) => kind)).not.toContain('patch');
  });

  it('is false where only a wait that goes on is behind it', async () => {
    const { result } = await deployed('open', async (ctx, isNew) => {
      const patched = isNew && (await ctx.patched('change'));
      await ctx.sleep(patched ? 'other' : 'pause', 200);
      return patched;
    });
    expect(result).toBe(false);
  });

  it('is true where the record ends before it, and false for a second change before a first one that is recorded', async () => {
    const { result, bodies } = await deployed('two', async (ctx, isNew, ran) => {
      const second = isNew && (await ctx.patched('second'));
      const first = await ctx.patched('first');
      await ctx.step('body', () => ran.push('body'));
      await ctx.sleep('pause', 200);
      const last = isNew && (await ctx.patched('last'));
      return { first, second, last };
    });
    expect(result).toEqual({ first: true, second: false, last: true });
    expect(bodies).toEqual(['body']);
  });

  it('G4 is false where what is recorded behind it need not be asked for again', async () => {
    let isNew = false;
    @Injectable()
    class Tasks {
      @Task('optional', again)
      async handle(_event: unknown, ctx: TaskContext) {
        const patched = isNew && (await ctx.patched('change'));
        await ctx
          .step('risky', () => {
            if (ctx.attempt === 1) throw new Error('no');
          })
          .catch(() => undefined);
        await ctx.step(patched ? 'new' : 'old', () => 1);
        if (ctx.attempt === 1) {
          isNew = true;
          throw new Error('again');
        }
        return patched;
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    await expect(conductor.invokeAndWait({ name: 'optional' }, 0, soon)).resolves.toBe(false);
  });

  it('S9 blocks on a worker whose code does not ask for what new code recorded', async () => {
    let isNew = true;
    const bodies: string[] = [];
    @Injectable()
    class Tasks {
      @Task('rolled back')
      async handle(_event: unknown, ctx: TaskContext) {
        const patched = isNew && (await ctx.patched('change'));
        if (!patched) await ctx.step('old', () => bodies.push('old'));
        await ctx.sleep('pause', 100);
        return patched;
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'rolled back' });
    await until(async () => (await handle.status()).status === 'suspended');
    isNew = false;
    await until(async () => (await handle.status()).status === 'blocked', 30_000);
    isNew = true;
    await conductor.resume(handle.id);
    await expect(handle.result(soon)).resolves.toBe(true);
    expect(bodies).toEqual([]);
  });

  it('is refused in the body of a step, and for an id that cannot be one', async () => {
    @Injectable()
    class Tasks {
      @Task('refused')
      async handle(_event: unknown, ctx: TaskContext) {
        const thrown = (call: () => Promise<unknown>) => call().catch((error: Error) => error);
        const inBody = await ctx.step(
          'body',
          async () => (await thrown(() => ctx.patched('x'))) instanceof InsideStepError,
        );
        return [inBody, (await thrown(() => ctx.patched(''))) instanceof InvalidStepError];
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    await expect(conductor.invokeAndWait({ name: 'refused' }, 0, soon)).resolves.toEqual([
      true,
      true,
    ]);
  });
});
