import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Injectable, Module } from '@nestjs/common';
import { Step, Task, type TaskContext } from '../../lib/index.js';
import { LoopTasks } from '../fixtures/loop.tasks.js';
import { testApps } from '../support/test-app.js';
import { movableClock } from '../support/movable-clock.js';
import { until } from '../support/until.js';

const quick = { type: 'fixed', delay: 1, jitter: 0 } as const;
const tenTimes = { retry: { maxAttempts: 10, backoff: quick } };

const run = promisify(execFile);

describe('a step', () => {
  const apps = testApps();
  const { start } = apps;

  it('S1 runs once and is remembered, whatever fails after it: 5 → 6 → 12 → 9', async () => {
    const bodies: string[] = [];
    @Injectable()
    class Tasks {
      @Task('chain', tenTimes)
      async chain(event: { payload: number }, ctx: TaskContext) {
        const failAfter = (n: number) => {
          if (ctx.attempt === n) throw new Error(`after step ${n}`);
        };
        const body = <T>(name: string, value: T) => {
          bodies.push(name);
          return value;
        };
        const a = await ctx.step('add', () => body('add', event.payload + 1));
        failAfter(1);
        const b = await ctx.step('double', async () => body('double', a * 2));
        failAfter(2);
        const c = await ctx.step('subtract', () => body('subtract', b - 3));
        failAfter(3);
        return c;
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'chain' }, 5);
    await expect(handle.result({ timeout: '10s' })).resolves.toBe(9);
    expect(bodies).toEqual(['add', 'double', 'subtract']);
    await expect(handle.status()).resolves.toMatchObject({ attempt: 4 });
    await expect(conductor.steps(handle.id)).resolves.toMatchObject([
      { name: 'add', kind: 'step', status: 'completed', result: 6 },
      { name: 'double', result: 12 },
      { name: 'subtract', result: 9 },
    ]);
  });

  it('S2 alone runs again when it fails; the steps before it do not', async () => {
    const bodies: string[] = [];
    @Injectable()
    class Tasks {
      @Task('second-fails', tenTimes)
      async handle(_event: unknown, ctx: TaskContext) {
        const a = await ctx.step('a', () => bodies.push('a'));
        const b = await ctx.step('b', () => {
          bodies.push('b');
          if (ctx.attempt < 3) throw new Error('b fails');
          return 'b';
        });
        return [a, b];
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    await expect(
      conductor.invokeAndWait({ name: 'second-fails' }, 0, { timeout: '10s' }),
    ).resolves.toEqual([1, 'b']);
    expect(bodies).toEqual(['a', 'b', 'b', 'b']);
  });

  it('S2 with a policy of its own is tried again without replaying the handler', async () => {
    let handlers = 0;
    let bodies = 0;
    @Injectable()
    class Tasks {
      @Task('own-policy')
      async handle(_event: unknown, ctx: TaskContext) {
        handlers += 1;
        return await ctx.step(
          'fragile',
          () => {
            bodies += 1;
            if (bodies < 4) throw new Error('not yet');
            return bodies;
          },
          { retry: { maxAttempts: 4, backoff: quick } },
        );
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'own-policy' });
    await expect(handle.result({ timeout: '10s' })).resolves.toBe(4);
    expect(handlers).toBe(1);
    await expect(handle.status()).resolves.toMatchObject({ attempt: 1 });
  });

  it('S2 with a long wait between its tries frees the worker, keeps count over the wait, and gives up at its limit', async () => {
    const tries: string[] = [];
    @Injectable()
    class Tasks {
      @Task('patient', { retry: { maxAttempts: 1 } })
      async handle(_event: unknown, ctx: TaskContext) {
        const before = await ctx.step('before', () => tries.push('before'));
        return await ctx
          .step(
            'fragile',
            () => {
              tries.push('fragile');
              throw new Error('still not');
            },
            { retry: { maxAttempts: 3, backoff: { type: 'fixed', delay: '1h', jitter: 0 } } },
          )
          .catch((error: Error) => `${before} ${error.message}`);
      }
    }
    const clock = movableClock(apps.database);
    const { conductor, orchestrator } = await start({
      providers: [Tasks],
      queues: { default: { concurrency: 1 } },
    });
    await clock.install();
    const handle = await conductor.invoke({ name: 'patient' });
    for (const tried of [2, 3]) {
      await until(
        async () => (await handle.status()).status === 'suspended' && tries.length === tried,
      );
      expect(orchestrator.info.running).toBe(0);
      await expect(conductor.steps(handle.id)).resolves.toMatchObject([
        { name: 'before' },
        { name: 'fragile', status: 'open' },
      ]);
      await clock.advance(3_600_000);
    }
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('1 still not');
    expect(tries).toEqual(['before', 'fragile', 'fragile', 'fragile']);
    await expect(handle.status()).resolves.toMatchObject({ attempt: 1 });
  });

  it('S3 under a name used before in the attempt is refused', async () => {
    @Injectable()
    class Tasks {
      @Task('twice')
      async handle(_event: unknown, ctx: TaskContext) {
        await ctx.step('same', () => 1);
        return await ctx
          .step('same', () => 2)
          .catch((error: Error & { code: string }) => error.code);
      }
      @Task('step-and-sleep')
      async mixed(_event: unknown, ctx: TaskContext) {
        await ctx.step('same', () => 1);
        return await ctx.sleep('same', 1).catch((error: Error & { code: string }) => error.code);
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    await expect(conductor.invokeAndWait({ name: 'twice' }, 0, { timeout: '10s' })).resolves.toBe(
      'CONDUCTOR_DUPLICATE_STEP',
    );
    await expect(
      conductor.invokeAndWait({ name: 'step-and-sleep' }, 0, { timeout: '10s' }),
    ).resolves.toBe('CONDUCTOR_DUPLICATE_STEP');
  });

  it('S3 that is a @Step called again is numbered by the order of the calls, also in parallel, and replays equal', async () => {
    const ran: string[] = [];
    @Injectable()
    class Steps {
      @Step()
      async load(id: string) {
        // the later call is done first
        for (let i = 0; i < (id === 'a' ? 20 : 1); i += 1)
          await new Promise((resolve) => setImmediate(resolve));
        ran.push(id);
        return id.toUpperCase();
      }
      @Step({ key: (id: string) => id })
      async keyed(id: string) {
        return id;
      }
    }
    @Injectable()
    class Tasks {
      constructor(private readonly steps: Steps) {}
      @Task('numbered', tenTimes)
      async handle(_event: unknown, ctx: TaskContext) {
        const loaded = await Promise.all(['a', 'b', 'c'].map((id) => this.steps.load(id)));
        const keyed = await Promise.all(['x', 'y'].map((id) => this.steps.keyed(id)));
        if (ctx.attempt < 3) throw new Error('again');
        return [...loaded, ...keyed];
      }
    }
    const { conductor } = await start({ providers: [Tasks, Steps] });
    const handle = await conductor.invoke({ name: 'numbered' });
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual(['A', 'B', 'C', 'x', 'y']);
    expect(ran.sort()).toEqual(['a', 'b', 'c']);
    const steps = await conductor.steps(handle.id);
    expect(Object.fromEntries(steps.map(({ name, result }) => [name, result]))).toEqual({
      'Steps.load': 'A',
      'Steps.load#2': 'B',
      'Steps.load#3': 'C',
      'Steps.keyed:x': 'x',
      'Steps.keyed:y': 'y',
    });
  });

  it('S4 works on a provider of another module, through two services, on a self-call, outside an execution and inside a step', async () => {
    const ran: string[] = [];
    @Injectable()
    class Deep {
      @Step()
      async inner(tag: string) {
        ran.push(`inner ${tag}`);
        return `inner ${tag}`;
      }
      @Step()
      async outer(tag: string) {
        ran.push(`outer ${tag}`);
        return `outer ${await this.inner(tag)}`;
      }
      async selfCall(tag: string) {
        return await this.inner(tag);
      }
    }
    @Module({ providers: [Deep], exports: [Deep] })
    class DeepModule {}
    @Injectable()
    class Middle {
      constructor(private readonly deep: Deep) {}
      through(tag: string) {
        return this.deep.inner(tag);
      }
    }
    @Injectable()
    class Tasks {
      constructor(
        private readonly middle: Middle,
        private readonly deep: Deep,
      ) {}
      @Task('nested', tenTimes)
      async handle(_event: unknown, ctx: TaskContext) {
        const results = [
          await this.middle.through('through'),
          await this.deep.selfCall('self'),
          await this.deep.outer('nested'),
          await ctx.step('plain', () => this.deep.inner('in ctx.step')),
        ];
        if (ctx.attempt === 1) throw new Error('again');
        return results;
      }
    }
    const { conductor, app } = await start({ modules: [DeepModule], providers: [Middle, Tasks] });
    const handle = await conductor.invoke({ name: 'nested' });
    const expected = ['inner through', 'inner self', 'outer inner nested', 'inner in ctx.step'];
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual(expected);
    expect(ran).toEqual([
      'inner through',
      'inner self',
      'outer nested',
      'inner nested',
      'inner in ctx.step',
    ]);
    // inside another step's body it is part of that step, and no record of its own
    expect((await conductor.steps(handle.id)).map(({ name }) => name)).toEqual([
      'Deep.inner',
      'Deep.inner#2',
      'Deep.outer',
      'plain',
    ]);
    // outside it is an ordinary method
    await expect(app.get(Deep, { strict: false }).inner('outside')).resolves.toBe('inner outside');
    await expect(app.get(Deep, { strict: false }).inner('outside')).resolves.toBe('inner outside');
  });

  it('S5 in a loop of 1,000 whose process is killed at 500: 500 bodies ran before, and 500 after', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'conductor-loop-')), 'bodies');
    apps.keep({ close: () => rm(dirname(file), { recursive: true }) });
    const client = await start({ role: 'client' });
    const handle = await client.conductor.invoke({ name: 'loop' }, file);
    const killed = await run(process.execPath, [
      '--import',
      '@swc-node/register/esm-register',
      fileURLToPath(new URL('../fixtures/killed-loop.ts', import.meta.url)),
      apps.database.url,
    ]).catch((error: { signal?: string }) => error);
    expect(killed).toMatchObject({ signal: 'SIGKILL' });
    const bodies = async () => (await readFile(file, 'utf8')).trim().split('\n');
    await expect(bodies()).resolves.toHaveLength(500);
    await start({ providers: [LoopTasks], lease: '1s' });
    await expect(handle.result({ timeout: '60s' })).resolves.toBe(1_000);
    const ran = (await bodies()).map((line) => line.split(' '));
    expect(ran.map(([, step]) => step)).toEqual(Array.from({ length: 1_000 }, (_, i) => `${i}`));
    expect(new Set(ran.slice(500).map(([pid]) => pid))).toEqual(new Set([`${process.pid}`]));
    await expect(handle.status()).resolves.toMatchObject({ attempt: 1, losses: 1 });
  }, 120_000);

  it('S6 in Promise.all runs beside the others, and all are recorded in few statements', async () => {
    let running = 0;
    let most = 0;
    let release!: () => void;
    const all = new Promise<void>((resolve) => (release = resolve));
    @Injectable()
    class Tasks {
      @Task('fan')
      async handle(_event: unknown, ctx: TaskContext) {
        return await Promise.all(
          Array.from({ length: 50 }, (_, i) =>
            ctx.step(`s${i}`, async () => {
              most = Math.max(most, (running += 1));
              if (running === 50) release();
              await all; // ends only if all fifty run at once
              running -= 1;
              return i;
            }),
          ),
        );
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'fan' });
    await expect(handle.result({ timeout: '10s' })).resolves.toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    );
    expect(most).toBe(50);
    // rows of one statement share its time
    const [row] = await apps.database.query<{ statements: string }>(
      `select count(distinct recorded_at) as statements from conductor.step where execution_id = $1`,
      [handle.id],
    );
    expect(Number(row!.statements)).toBeLessThanOrEqual(3);
  });

  it('S10 gives a caught error back on a replay as it was seen, and forgets it with the attempt that failed', async () => {
    const bodies: string[] = [];
    @Injectable()
    class Tasks {
      @Task('caught', tenTimes)
      async handle(_event: unknown, ctx: TaskContext) {
        const seen = await ctx
          .step('risky', () => {
            bodies.push('risky');
            throw Object.assign(new TypeError('no'), { code: 'E_NO' });
          })
          .catch(
            (error: Error & { code?: string }) => `${error.name} ${error.code} ${error.message}`,
          );
        await ctx.step('after', () => bodies.push('after'));
        await ctx.sleep('pause', 20); // a replay without a failed attempt: the error is kept
        if (ctx.attempt === 1) throw new Error('the attempt fails: the error is forgotten');
        return seen;
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    await expect(conductor.invokeAndWait({ name: 'caught' }, 0, { timeout: '10s' })).resolves.toBe(
      'TypeError E_NO no',
    );
    expect(bodies).toEqual(['risky', 'after', 'risky']);
  });

  it('refuses to sleep inside a step', async () => {
    @Injectable()
    class Tasks {
      @Task('sleeps-inside')
      async handle(_event: unknown, ctx: TaskContext) {
        return await ctx
          .step('outer', () => ctx.sleep('inner', 1))
          .catch((error: Error & { code: string }) => error.code);
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    await expect(
      conductor.invokeAndWait({ name: 'sleeps-inside' }, 0, { timeout: '10s' }),
    ).resolves.toBe('CONDUCTOR_INSIDE_STEP');
  });
});
