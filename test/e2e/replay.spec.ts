import { Injectable } from '@nestjs/common';
import { Step, Task, type TaskContext } from '../../lib/index.js';
import { seededRandom } from '../support/random.js';
import { startApp, type TestApp } from '../support/test-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

const SEEDS = 150;

const turns = async (count: number) => {
  for (let i = 0; i < count; i += 1) await new Promise((resolve) => setImmediate(resolve));
};

const wrapped = async <T>(promise: Promise<T>, depth: number): Promise<T> =>
  depth === 0 ? await promise : await wrapped(promise, depth - 1);

/** Every body that ran: the execution's seed and the step. */
const bodies: { seed: number; step: string }[] = [];

@Injectable()
class Parts {
  @Step()
  async load(seed: number, id: string) {
    await turns(id.length * 3);
    bodies.push({ seed, step: `load ${id}` });
    return `loaded ${id}`;
  }
  @Step()
  async save(seed: number, value: string) {
    bodies.push({ seed, step: `save ${value}` });
    return `saved ${value}`;
  }
}

/** A program drawn from the seed: branches side by side, races of a slow step, a deeply wrapped fast one and a sleep, later
 *  steps named after the winners, numbered @Steps in every branch, and an error that is caught. */
@Injectable()
class Programs {
  constructor(private readonly parts: Parts) {}

  @Task('program')
  async program({ payload: seed }: { payload: number }, ctx: TaskContext) {
    const random = seededRandom(seed);
    const pick = (n: number) => Math.floor(random() * n);
    const plans = Array.from({ length: 2 + pick(3) }, () => ({
      race: pick(3),
      depth: pick(6),
      nap: pick(2) === 0,
      fails: pick(3) === 0,
    }));
    const body = (step: string, ticks: number) => async () => {
      await turns(ticks);
      bodies.push({ seed, step });
      return step;
    };
    const branch = async ({ race, depth, nap, fails }: (typeof plans)[number], b: number) => {
      const winner = await Promise.race([
        ctx.step(`slow${b}`, body(`slow${b}`, 200)),
        wrapped(ctx.step(`fast${b}`, body(`fast${b}`, race === 1 ? 400 : 2)), depth),
        ctx.sleep(`nap${b}`, race === 1 ? 0 : '30d').then(() => `nap${b}`),
      ]);
      const after = await ctx.step(`after ${winner}`, body(`after ${winner}`, 1));
      if (nap) await ctx.sleep(`pause${b}`, pick(8));
      const caught = fails
        ? await ctx
            .step(`fails${b}`, async () => {
              await turns(1);
              throw new Error(`no ${b}`);
            })
            .catch((error: Error) => error.message)
        : 'none';
      const saved = await this.parts.save(
        seed,
        await this.parts.load(seed, `${b}${'x'.repeat(b)}`),
      );
      return [winner, after, caught, saved];
    };
    const results = await Promise.all(plans.map(branch));
    return [...results.flat(), await ctx.step('last', body('last', 1))];
  }
}

describe('a replay', () => {
  let database: TestDatabase;
  let app: TestApp;

  beforeAll(async () => {
    database = await createTestDatabase();
    app = await startApp({
      url: database.url,
      providers: [Parts, Programs],
      queues: { default: { concurrency: 20 } },
    });
  });

  afterAll(async () => {
    await app.close();
    await database.drop();
  });

  it(`sees what the first run saw, in ${SEEDS} random programs taken away from their worker at random moments`, async () => {
    const seeds = Array.from({ length: SEEDS }, (_, i) => 1000 + i);
    const undisturbed = await runAll(seeds, false);
    bodies.length = 0;
    const disturbed = await runAll(seeds, true);
    expect(disturbed.taken).toBeGreaterThan(SEEDS / 2); // the fault really was injected
    for (const [i, seed] of seeds.entries())
      expect({ seed, result: disturbed.results[i] }).toEqual({
        seed,
        result: undisturbed.results[i],
      });
    for (const id of disturbed.ids) {
      await expect(app.conductor.get(id)).resolves.toMatchObject({
        status: 'completed',
        attempt: 1,
      });
    }
  }, 120_000);

  async function runAll(seeds: number[], disturb: boolean) {
    const handles = await app.conductor.invokeMany(
      { name: 'program' },
      seeds.map((payload) => ({ payload })),
    );
    let taken = 0;
    let done = false;
    const random = seededRandom(7);
    const disturbing = (async () => {
      while (disturb && !done && taken < SEEDS * 4) {
        // what recovery does to a worker that seems dead, while that worker is alive and goes on: the worst case of it
        const rows = await database.query<{ id: string }>(
          `update conductor.run set status = 0, token = null, worker_id = null, started = false
           where id = any(array(select id from conductor.run where status = 1 and random() < 0.5 for update skip locked)) returning id`,
        );
        taken += rows.length;
        await database.query(`select pg_notify('conductor:q' || id, '') from conductor.queue`);
        await new Promise((resolve) => setTimeout(resolve, 5 + random() * 25));
      }
    })();
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '100s' })));
    done = true;
    await disturbing;
    return { results, taken, ids: handles.map(({ id }) => id) };
  }

  it('blocks before a renamed step runs a second time, and says what it expected', async () => {
    const charged: string[] = [];
    let deployed = 'charge';
    @Injectable()
    class Tasks {
      @Task('renamed')
      async handle(_event: unknown, ctx: TaskContext) {
        await ctx.step(deployed, () => charged.push(deployed));
        await ctx.sleep('wait', deployed === 'charge' ? 200 : 1);
        return 'end';
      }
    }
    const other = await startApp({
      url: database.url,
      providers: [Tasks],
      queues: { default: {} },
    });
    try {
      const handle = await other.conductor.invoke({ name: 'renamed' });
      await until(async () => (await handle.status()).status === 'suspended');
      deployed = 'charge-card';
      const blocked = await until(async () => {
        const view = await handle.status();
        return view.status === 'blocked' && view;
      }, 30_000);
      expect(charged).toEqual(['charge']);
      expect(blocked.error).toMatchObject({ code: 'CONDUCTOR_DIVERGENCE' });
      expect(blocked.error!.message).toContain('charge-card');
    } finally {
      await other.close();
    }
  }, 60_000);

  it('blocks when a handler ends without asking for what was recorded', async () => {
    let deployed = 1;
    @Injectable()
    class Tasks {
      @Task('shortened')
      async handle(_event: unknown, ctx: TaskContext) {
        if (deployed === 1) await ctx.step('removed', () => 1);
        await ctx.sleep('wait', 100);
        return 'end';
      }
    }
    const other = await startApp({
      url: database.url,
      providers: [Tasks],
      queues: { default: {} },
    });
    try {
      const handle = await other.conductor.invoke({ name: 'shortened' });
      await until(async () => (await handle.status()).status === 'suspended');
      deployed = 2;
      const blocked = await until(async () => {
        const view = await handle.status();
        return view.status === 'blocked' && view;
      }, 30_000);
      expect(blocked.error!.message).toContain('removed');
    } finally {
      await other.close();
    }
  }, 60_000);
});
