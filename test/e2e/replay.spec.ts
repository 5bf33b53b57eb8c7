import { Injectable } from '@nestjs/common';
import { Task, type TaskContext } from '../../lib/index.js';
import { writes } from '../replay/cuts.js';
import { ReplayFuzz } from '../replay/fuzz.js';
import { startApp } from '../support/test-app.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

/** More of them, and others: `npm run test:replay -- --seeds 5000 --from 10000`. */
const SEEDS = Array.from({ length: 600 }, (_, i) => 1000 + i);

describe('a replay', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createTestDatabase();
  });

  afterAll(() => database.drop());

  it(`S10 sees what the run before it saw, in ${SEEDS.length} random programs cut off at their writes and between them`, async () => {
    const fuzz = await ReplayFuzz.open(database);
    try {
      const { problems, cuts, blocked, activations, patches } = await fuzz.run(SEEDS);
      expect(problems).toEqual([]);
      // it was really done to them
      for (const write of writes)
        for (const cut of ['before', 'after', 'again', 'busy'])
          expect([write, cut, cuts.get(`${write} ${cut}`) ?? 0]).not.toEqual([write, cut, 0]);
      expect(cuts.get('between')).toBeGreaterThan(SEEDS.length);
      expect(activations).toBeGreaterThan(4 * SEEDS.length);
      expect(blocked).toBeGreaterThan(SEEDS.length / 20);
      expect(Math.min(patches.new, patches.old)).toBeGreaterThan(SEEDS.length / 20);
    } finally {
      await fuzz.close();
    }
  }, 290_000);

  it('S9 blocks before a renamed step runs a second time, and says what it expected', async () => {
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

  it('S9 blocks when a handler ends without asking for what was recorded', async () => {
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
