import { setTimeout as pause } from 'node:timers/promises';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import { watchBeats } from '../harness/beats.js';
import { run, type Course, type Fault, type Site } from '../harness/course.js';
import { judge, missed, rounded } from '../harness/judge.js';
import { whatRunsIn } from '../harness/kill.js';
import { Random } from '../harness/random.js';
import { loadReads, type ReadPayload } from '../loads/load-reads.js';
import { LEASE_MS } from '../worker/settings.js';

const HOLD_MS = 1.5 * LEASE_MS;
const PAUSE_MS = 1_000;

interface Fc4 extends Course<ReadPayload> {
  holds: number;
}

/** Far more handlers than connections, and the smallest pool there can be: installing the schema takes two. */
const whole: Fc4 = {
  load: loadReads,
  executions: 1_000,
  spanMs: 4 * (HOLD_MS + PAUSE_MS),
  holds: 4,
  workers: 3,
  spares: 0,
  concurrency: 30,
  poolSize: 2,
  fsync: false,
};

const fast: Fc4 = { ...whole, executions: 200, spanMs: HOLD_MS + PAUSE_MS, holds: 1 };

const courses: Record<Tier, Fc4> = { fast, scaled: whole, full: whole };

/** Makes the handlers' reads wait for longer than a lease: they hold every connection of the pool. */
async function holdReads(
  { cluster, log }: Site,
  holds: number,
): Promise<{ faults: Fault[]; oldestMs: number }> {
  const faults: Fault[] = [];
  const watch = watchBeats(cluster.engine);
  while (faults.length < holds) {
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
  async run({ seed, tier, log }: Conditions): Promise<Figures> {
    const course = courses[tier];
    let oldestMs = 0;
    const { history, faults, problems } = await run(course, new Random(seed), log, async (site) => {
      const held = await holdReads(site, course.holds);
      oldestMs = held.oldestMs;
      return held.faults;
    });
    return judge({
      id: 'FC4',
      seed,
      tier,
      load: `${course.executions} executions of ${loadReads.description}`,
      history,
      faults,
      expectedFaults: course.holds,
      recoveries: [],
      measured: { 'oldest heartbeat ms': rounded(oldestMs) },
      problems,
      timing: missed('the oldest heartbeat', rounded(oldestMs), LEASE_MS / 2),
      log,
    });
  },
};
