import { Injectable } from '@nestjs/common';
import { ExecutionClosedError, InvalidStepError, Task, type TaskContext } from '../../lib/index.js';
import { movableClock } from '../support/movable-clock.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

const soon = { timeout: '20s' } as const;
const again = {
  retry: { maxAttempts: 3, backoff: { type: 'fixed', delay: 1, jitter: 0 } },
} as const;

const drawAll = async (ctx: TaskContext) => [
  (await ctx.now()).getTime(),
  await ctx.uuid(),
  await ctx.random(),
  await ctx.uuid(),
  await ctx.random(),
];

describe('ctx.now, ctx.uuid and ctx.random', () => {
  const apps = testApps('all');

  async function run(name: string, Tasks: new () => object) {
    const app = await apps.start({ providers: [Tasks] });
    const handle = await app.conductor.invoke({ name });
    return { ...app, handle, result: await handle.result(soon) };
  }

  it('give the same after a wait and in the next attempt, and another value for each call', async () => {
    const seen: unknown[][] = [];
    @Injectable()
    class Tasks {
      @Task('same', again)
      async handle(_event: unknown, ctx: TaskContext) {
        seen.push(await drawAll(ctx));
        await ctx.sleep('pause', 20);
        seen.push([await ctx.uuid()]);
        if (ctx.attempt === 1) throw new Error('again');
      }
    }
    const { conductor, handle } = await run('same', Tasks);
    const [first, ...others] = seen.filter(({ length }) => length === 5);
    expect(others.length).toBeGreaterThan(1);
    for (const other of others) expect(other).toEqual(first);
    expect(new Set(first).size).toBe(5);
    expect(new Set(seen.filter(({ length }) => length === 1).flat()).size).toBe(1);
    expect(first![1]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    expect(first![2]).toBeGreaterThanOrEqual(0);
    expect(first![2]).toBeLessThan(1);
    const steps = await conductor.steps(handle.id);
    expect(steps.slice(0, 5).map(({ name, kind }) => `${kind} ${name}`)).toEqual([
      'value ctx.now',
      'value ctx.uuid',
      'value ctx.random',
      'value ctx.uuid#2',
      'value ctx.random#2',
    ]);
    expect(steps[1]!.result).toBe(first![1]);
    expect(steps[0]!.result).toEqual(new Date(first![0] as number));
  });

  it('give the same to an attempt after one that failed at once, having written nothing else', async () => {
    const seen: unknown[] = [];
    @Injectable()
    class Tasks {
      @Task('failed', again)
      async handle(_event: unknown, ctx: TaskContext) {
        seen.push(await ctx.uuid()); // the outside knows it from here on
        if (ctx.attempt < 3) throw new Error('again');
      }
    }
    await run('failed', Tasks);
    expect(seen).toHaveLength(3);
    expect(new Set(seen).size).toBe(1);
  });

  it('are stored before the handler sees them: a crash loses nothing that the outside may know', async () => {
    const stored: unknown[] = [];
    @Injectable()
    class Tasks {
      @Task('stored')
      async handle(_event: unknown, ctx: TaskContext) {
        const drawn = await Promise.all([ctx.now(), ctx.uuid(), ctx.random()]);
        const rows = await apps.database.query<{ name: string }>(
          'select name from conductor.step where execution_id = $1 order by seq',
          [ctx.executionId],
        );
        stored.push(...rows.map(({ name }) => name));
        return drawn;
      }
    }
    await run('stored', Tasks);
    expect(stored).toEqual(['ctx.now', 'ctx.uuid', 'ctx.random']);
  });

  it('now is the database’s time', async () => {
    @Injectable()
    class Tasks {
      @Task('clock')
      async handle(_event: unknown, ctx: TaskContext) {
        return [await ctx.now(), await ctx.step('in a body', () => ctx.now())];
      }
    }
    const clock = movableClock(apps.database);
    const app = await apps.start({ providers: [Tasks], autoStart: false });
    await clock.install();
    await clock.advance(86_400_000);
    const before = Date.now() + 86_400_000;
    await app.orchestrator.start();
    const [now, inBody] = await app.conductor.invokeAndWait<[Date, Date]>(
      { name: 'clock' },
      0,
      soon,
    );
    for (const time of [now, inBody])
      expect(Math.abs(time.getTime() - before)).toBeLessThan(60_000);
    await clock.advance(-86_400_000);
  });

  it('are recorded in the order of the calls in parallel branches, which a replay repeats', async () => {
    const seen: string[][] = [];
    @Injectable()
    class Tasks {
      @Task('branches')
      async handle(_event: unknown, ctx: TaskContext) {
        const branch = async (name: string, turns: number) => {
          await ctx.step(`step ${name}`, async () => {
            for (let i = 0; i < turns; i += 1) await new Promise((done) => setImmediate(done));
          });
          return `${name} ${await ctx.uuid()}`;
        };
        const drawn = await Promise.all([branch('slow', 30), branch('fast', 0), branch('mid', 10)]);
        seen.push(drawn);
        await ctx.sleep('pause', 10);
      }
    }
    const { conductor, handle } = await run('branches', Tasks);
    expect(seen.length).toBe(2);
    expect(seen[1]).toEqual(seen[0]);
    const uuids = (await conductor.steps(handle.id)).filter(({ kind }) => kind === 'value');
    expect(uuids[0]!.result).toBe(seen[0]![1]!.split(' ')[1]);
  });

  it('record nothing in the body of a step, transactional or not', async () => {
    @Injectable()
    class Tasks {
      @Task('plain')
      async handle(_event: unknown, ctx: TaskContext) {
        const inBody = await ctx.step('body', () => drawAll(ctx));
        const after = await ctx.uuid();
        return [inBody, after];
      }
    }
    const { conductor, handle, result } = await run('plain', Tasks);
    const [inBody, after] = result as [unknown[], string];
    expect(new Set([...inBody, after]).size).toBe(6);
    expect((await conductor.steps(handle.id)).map(({ name }) => name)).toEqual([
      'body',
      'ctx.uuid',
    ]);
  });

  it('S9 block where the code does not ask for what was drawn any more, before anything runs again', async () => {
    let deployed = 1;
    const bodies: string[] = [];
    @Injectable()
    class Tasks {
      @Task('removed')
      async handle(_event: unknown, ctx: TaskContext) {
        if (deployed === 1) await ctx.uuid();
        else await ctx.step('new', () => bodies.push('new'));
        await ctx.sleep('pause', 100);
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'removed' });
    await until(async () => (await handle.status()).status === 'suspended');
    deployed = 2;
    const blocked = await until(async () => {
      const view = await handle.status();
      return view.status === 'blocked' && view;
    }, 30_000);
    expect(blocked.error!.message).toContain('ctx.uuid');
    expect(bodies).toEqual([]);
    deployed = 1;
    await conductor.resume(handle.id);
    await handle.result(soon);
  });

  it('are refused once the handler has ended', async () => {
    let late: PromiseSettledResult<unknown>[] = [];
    @Injectable()
    class Tasks {
      @Task('late')
      async handle(_event: unknown, ctx: TaskContext) {
        setImmediate(() => {
          void Promise.allSettled([ctx.now(), ctx.uuid(), ctx.random()]).then(
            (all) => (late = all),
          );
        });
      }
    }
    await run('late', Tasks);
    await until(() => late.length === 3);
    for (const result of late)
      expect(result).toMatchObject({ reason: expect.any(ExecutionClosedError) as Error });
  });
});

describe('ctx.idempotencyKey', () => {
  const apps = testApps('all');

  it('is the same in every attempt and every try, and another for another step or execution', async () => {
    const seen: string[] = [];
    @Injectable()
    class Tasks {
      @Task('keys', again)
      async handle(_event: unknown, ctx: TaskContext) {
        await ctx.step(
          'charge',
          () => {
            seen.push(ctx.idempotencyKey('charge'));
            if (seen.length < 3) throw new Error('once more');
          },
          { retry: { maxAttempts: 2, backoff: { type: 'fixed', delay: 1 } } },
        );
        await ctx.sleep('pause', 1);
        return [ctx.idempotencyKey('charge'), ctx.idempotencyKey('refund')];
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    const [charge, refund] = await conductor.invokeAndWait<string[]>({ name: 'keys' }, 0, soon);
    expect(seen).toEqual([charge, charge, charge]);
    const [other] = await conductor.invokeAndWait<string[]>({ name: 'keys' }, 0, soon);
    expect(new Set([charge, refund, other]).size).toBe(3);
    expect(charge).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('refuses what no step could be named', async () => {
    @Injectable()
    class Tasks {
      @Task('nameless')
      async handle(_event: unknown, ctx: TaskContext) {
        try {
          return ctx.idempotencyKey('');
        } catch (error) {
          return error instanceof InvalidStepError && error.message;
        }
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    await expect(conductor.invokeAndWait({ name: 'nameless' }, 0, soon)).resolves.toMatch(
      /ctx\.idempotencyKey.*must not be empty/s,
    );
  });
});
