import { setTimeout as sleep } from 'node:timers/promises';
import { graphileWorker, ours, pgBoss, type Contender } from './contenders.js';
import { entriesOf, type Context, type Measured, type Scenario } from './scenario.js';

/** After the warm-up: what a worker does once it has nothing more to do. */
const CALM_MS = 2_000;

async function idle({ stage, quick }: Context, contender: Contender): Promise<Measured> {
  return await stage.set(contender, async (scene) => {
    const worker = await scene.open();
    await worker.call('warmUp', { work: 'noop', count: 200 });
    await worker.call('start', { expected: 0 });
    await stage.server.checkpoint();
    await sleep(CALM_MS);
    const ms = quick ? 3_000 : 20_000;
    const before = await stage.server.counters();
    const { cpuMs, roundTrips } = await worker.call('idle', { ms }, ms);
    const after = await stage.server.counters();
    await worker.call('stop', undefined);
    await worker.close();
    const facts: Record<string, number> = { 'Node, % of a core': (cpuMs / ms) * 100 };
    // its background processes too, whose work is no subject's
    if (after.cpuMs !== undefined && before.cpuMs !== undefined)
      facts['Postgres, % of a core'] = ((after.cpuMs - before.cpuMs) / ms) * 100;
    return { value: (roundTrips / ms) * 1e3, facts };
  });
}

export const idleWorker: Scenario = {
  id: 'idle',
  title: 'A worker with nothing to do',
  goals: ['PF10'],
  unit: 'queries/s',
  better: 'lower',
  rounds: 2,
  quick: 'ours',
  entries: entriesOf([ours, graphileWorker, pgBoss], idle),
};
