import { setTimeout as pause } from 'node:timers/promises';
import type { Conditions, Figures, Hazard } from '../hazard.js';
import { watchBeats } from '../harness/beats.js';
import { run, type Course, type Fault, type Site } from '../harness/course.js';
import { judge, missed, rounded } from '../harness/judge.js';
import { whatRunsIn } from '../harness/kill.js';
import { Random } from '../harness/random.js';
import { loadReads, type ReadPayload } from '../loads/load-reads.js';
import { LEASE_MS } from '../worker/settings.js';

const HOLD_MS = 1.5 * LEASE_MS;
const PAUSE_MS = 1_000;
const HOLDS = 4;

/** Far more handlers than connections, and the smallest pool there can be: installing the schema takes two. */
const scaled: Course<ReadPayload> = {
  load: loadReads,
  executions: 1_000,
  spanMs: HOLDS * (HOLD_MS + PAUSE_MS),
  workers: 3,
  spares: 0,
  concurrency: 30,
  poolSize: 2,
  fsync: false,
};

/** Makes the handlers' reads wait for longer than a lease: they hold every connection of the pool. */
async function holdReads({ cluster, log }: Site): Promise<{ faults: Fault[]; oldestMs: number }> {
  const faults: Fault[] = [];
  const watch = watchBeats(cluster.engine);
  while (faults.length < HOLDS) {
    await pause(PAUSE_MS);
    const { owned } = await cluster.whileLocked('conductor.queue', async () => {
      await pause(HOLD_MS);
      return await whatRunsIn(cluster.engine);
    });
    faults.push({ workers: [], owned });
    log(`reads were held for ${HOLD_MS} ms, with ${owned.length} executions running`);
  }
  return { faults, ...(await watch.stop()) };
}

export const fc4: Hazard = {
  id: 'FC4',
  title: 'a pool of two, every connection held by reads of handlers for 1.5 leases, 4 times',
  async run({ seed, log }: Conditions): Promise<Figures> {
    let oldestMs = 0;
    const { history, faults, problems } = await run(scaled, new Random(seed), log, async (site) => {
      const held = await holdReads(site);
      oldestMs = held.oldestMs;
      return held.faults;
    });
    return judge({
      id: 'FC4',
      seed,
      load: `${scaled.executions} executions of ${loadReads.description}`,
      history,
      faults,
      expectedFaults: HOLDS,
      recoveries: [],
      measured: { 'oldest heartbeat ms': rounded(oldestMs) },
      problems: [...problems, ...missed('the oldest heartbeat', rounded(oldestMs), LEASE_MS / 2)],
      log,
    });
  },
};
