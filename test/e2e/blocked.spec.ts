import { Injectable, type Type } from '@nestjs/common';
import { InvalidInvokeError, Task, type ExecutionView, type TaskContext } from '../../lib/index.js';
import { testApps, type TestApp } from '../support/test-app.js';
import { until } from '../support/until.js';

describe('an execution whose code has changed', () => {
  const { start } = testApps();

  /** A version of the task's code: what its handler does, as if deployed. */
  function version(handle: (ctx: TaskContext) => Promise<unknown>): Type {
    @Injectable()
    class Tasks {
      @Task('deployed')
      async handle(_event: unknown, ctx: TaskContext) {
        return await handle(ctx);
      }
    }
    return Tasks;
  }
  const suspendedIn = async (app: TestApp) => {
    const { id } = await app.conductor.invoke({ name: 'deployed' });
    await until(async () => (await app.conductor.get(id))!.status === 'suspended');
    return id;
  };
  const blockedIn = (app: TestApp, id: string): Promise<ExecutionView> =>
    until(async () => {
      const view = await app.conductor.get(id);
      return view!.status === 'blocked' && view!;
    }, 30_000);
  const result = (app: TestApp, id: string) => app.conductor.handle(id).result({ timeout: '30s' });

  it('S9 with a step renamed is blocked before the new body runs, names both, and goes on by itself where the old code is', async () => {
    const charged: string[] = [];
    const code = (step: string) =>
      version(async (ctx) => {
        await ctx.step(step, () => charged.push(step));
        await ctx.sleep('wait', 300);
        return `by ${step}`;
      });
    const old = await start({ providers: [code('charge')] });
    const id = await suspendedIn(old);
    await old.close();
    const renamed = await start({ providers: [code('bill')] });
    const { error, attempt } = await blockedIn(renamed, id);
    expect(attempt).toBe(1);
    expect(error).toMatchObject({ code: 'CONDUCTOR_DIVERGENCE' });
    expect(error!.message).toContain('charge');
    expect(error!.message).toContain('bill');
    const pods = await start({ providers: [code('charge')] }); // an old pod beside the new one
    await expect(result(pods, id)).resolves.toBe('by charge');
    expect(charged).toEqual(['charge']);
  });

  it('S9 is blocked also where the task’s timeout comes before it is sure: no attempt is charged', async () => {
    let steps = ['a', 'b'];
    @Injectable()
    class Tasks {
      @Task('deployed', { timeout: '1s', retry: { maxAttempts: 1 } })
      async handle(_event: unknown, ctx: TaskContext) {
        for (const name of steps) await ctx.step(name, () => name);
        await ctx.sleep('wait', 200);
        return steps.join('');
      }
    }
    const app = await start({ providers: [Tasks] });
    const id = await suspendedIn(app);
    steps = ['b'];
    const { attempt } = await blockedIn(app, id);
    expect(attempt).toBe(1);
    steps = ['a', 'b'];
    await app.conductor.resume(id);
    await expect(result(app, id)).resolves.toBe('ab');
  });

  it('S9 with steps reordered in sequence, or removed, is blocked; resume offers it to the same worker after a mending', async () => {
    const bodies: string[] = [];
    let steps = ['a', 'b'];
    const app = await start({
      providers: [
        version(async (ctx) => {
          for (const name of steps) await ctx.step(name, () => bodies.push(name));
          await ctx.sleep('wait', 200);
          return steps.join('');
        }),
      ],
    });
    const removed = await suspendedIn(app);
    steps = ['b'];
    await blockedIn(app, removed);
    steps = ['a', 'b'];
    const reordered = await suspendedIn(app);
    steps = ['b', 'a'];
    const ids = [removed, reordered];
    for (const id of ids) await blockedIn(app, id);
    await app.orchestrator.drain();
    await expect(app.conductor.queues()).resolves.toMatchObject([{ blocked: 2, pending: 0 }]);
    steps = ['a', 'b'];
    await expect(app.conductor.resume(ids[0]!)).resolves.toBe(1);
    await expect(result(app, ids[0]!)).resolves.toBe('ab');
    await expect(app.conductor.resume(ids[0]!)).resolves.toBe(0);
    await expect(app.conductor.resume({ task: 'another' })).resolves.toBe(0);
    await expect(app.conductor.resume({ task: 'deployed', queue: 'default' })).resolves.toBe(1);
    await expect(result(app, ids[1]!)).resolves.toBe('ab');
    expect(bodies).toEqual(['a', 'b', 'a', 'b']);
  });

  it('S9 with parallel branches in another order, or with a step more at the end, is as good as before', async () => {
    let deployed = 1;
    const app = await start({
      providers: [
        version(async (ctx) => {
          const names = deployed === 1 ? ['a', 'b', 'c'] : ['c', 'a', 'b'];
          await Promise.all(names.map((name) => ctx.step(name, () => name)));
          await ctx.sleep('wait', 200);
          if (deployed === 2) return await ctx.step('added', () => 'more');
          return 'end';
        }),
      ],
    });
    const id = await suspendedIn(app);
    deployed = 2;
    await expect(result(app, id)).resolves.toBe('more');
  });

  it('S9 cannot be resumed by what is neither an id nor a filter', async () => {
    const { conductor } = await start({ providers: [version(async () => 1)] });
    await expect(conductor.resume('all')).rejects.toBeInstanceOf(InvalidInvokeError);
    await expect(conductor.resume({ tsak: 'x' } as never)).rejects.toThrow('did you mean');
    await expect(conductor.resume({ queue: '' })).rejects.toBeInstanceOf(InvalidInvokeError);
  });
});
