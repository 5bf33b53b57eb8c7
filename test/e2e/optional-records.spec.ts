import { setImmediate as turn } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Step, Task, type TaskContext } from '../../lib/index.js';
import { testApps } from '../support/test-app.js';

const again = {
  retry: { maxAttempts: 3, backoff: { type: 'fixed', delay: 1, jitter: 0 } },
} as const;
const soon = { timeout: '20s' } as const;

/** G4: a failed attempt forgets its step errors, and what was recorded after the first of them need not be asked for again. */
describe('what was recorded after an error that is forgotten', () => {
  const apps = testApps('all');

  it('S10 is seen by the next attempt in the order in which it was recorded, whatever the order of asking', async () => {
    @Injectable()
    class Tasks {
      @Task('race', again)
      async handle(_event: unknown, ctx: TaskContext) {
        await ctx
          .step('risky', () => {
            if (ctx.attempt === 1) throw new Error('no');
          })
          .catch(() => undefined);
        let fastSeen = () => {};
        const fastIsThere = new Promise<void>((resolve) => (fastSeen = resolve));
        const slow = ctx.step('slow', () => fastIsThere).then(() => 'slow');
        const fast = ctx
          .step('fast', () => undefined)
          .then(() => fastSeen())
          .then(() => 'fast');
        const winner = await Promise.race([slow, fast]);
        await slow;
        await ctx.step(`after ${winner}`, () => undefined);
        if (ctx.attempt === 1) throw new Error('again');
        return winner;
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    await expect(conductor.invokeAndWait({ name: 'race' }, 0, soon)).resolves.toBe('fast');
  });

  it('S10 keeps the place in which this attempt saw it, also when a replay asks for it sooner', async () => {
    let activations = 0;
    @Injectable()
    class Tasks {
      @Task('overtaken', again)
      async handle(_event: unknown, ctx: TaskContext) {
        if (ctx.attempt === 2) activations += 1;
        await ctx
          .step('risky', () => {
            if (ctx.attempt === 1) throw new Error('no');
          })
          .catch(() => undefined);
        if (ctx.attempt === 1) {
          await ctx.step('old', () => 'old');
          throw new Error('again');
        }
        let freshSeen = () => {};
        const freshIsThere = new Promise<void>((resolve) => (freshSeen = resolve));
        const fresh = ctx.step('fresh', () => 'fresh').finally(() => freshSeen());
        // work of the handler's own, which takes longer the first time
        const work = activations === 1 ? freshIsThere : Promise.resolve();
        const old = work.then(() => ctx.step('old', () => 'ran again'));
        const winner = await Promise.race([old, fresh]);
        await ctx.step(`after ${winner}`, () => undefined);
        await ctx.sleep('pause', 300); // one that is over before it is stored suspends nothing
        return [winner, await old];
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    const result = conductor.invokeAndWait({ name: 'overtaken' }, 0, soon);
    await expect(result).resolves.toEqual(['fresh', 'old']);
    expect(activations).toBe(2);
  });
});

describe('parallel calls of a @Step', () => {
  const apps = testApps('all');

  it('S3 are told apart where the next attempt makes them in another order, one of them for the first time', async () => {
    const ran: string[] = [];
    @Injectable()
    class Steps {
      @Step()
      async load(id: string) {
        ran.push(id);
        if (id === 'b' && ran.length < 3) throw new Error('no');
        return id.toUpperCase();
      }
    }
    @Injectable()
    class Tasks {
      constructor(private readonly steps: Steps) {}
      @Task('reordered', again)
      async handle(_event: unknown, ctx: TaskContext) {
        const late = async (id: string, turns: number) => {
          for (let i = 0; i < turns; i += 1) await turn();
          return await this.steps.load(id);
        };
        const a = late('a', ctx.attempt === 1 ? 0 : 3);
        const b = late('b', ctx.attempt === 1 ? 0 : 1);
        const [loaded] = await Promise.all([a, b.catch(() => a.then(() => b))]);
        return [loaded, await b];
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks, Steps] });
    const handle = await conductor.invoke({ name: 'reordered' });
    await expect(handle.result(soon)).resolves.toEqual(['A', 'B']);
    expect(ran).toEqual(['a', 'b', 'b']);
  });
});
