import { setTimeout as pause } from 'node:timers/promises';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import { run, type Course, type Fault, type Site } from '../harness/course.js';
import { isRecovery } from '../harness/recovery.js';
import { judge } from '../harness/judge.js';
import { busyWorker, whatRunsIn } from '../harness/kill.js';
import { Random } from '../harness/random.js';
import { loadLong, type LongPayload } from '../loads/load-long.js';
import { LEASE_MS } from '../worker/settings.js';

interface Fz4 extends Course<LongPayload> {
  leases: number[];
}

const whole: Fz4 = {
  load: loadLong,
  executions: 200,
  spanMs: 10_000,
  workers: 3,
  spares: 0,
  concurrency: 30,
  fsync: false,
  leases: [0.5, 1.5, 5],
};

const fast: Fz4 = { ...whole, executions: 60, spanMs: 4_000, leases: [1.5] };

const courses: Record<Tier, Fz4> = { fast, scaled: whole, full: whole };

/** A worker whose event loop turns again and again after a lease has lost it; within a lease it keeps it. */
async function block({ cluster, fleet, random, log }: Site, leases: number): Promise<Fault> {
  await pause(3_000);
  const victim = await busyWorker(cluster.engine, fleet, random);
  const hit = await whatRunsIn(cluster.engine, victim.pid);
  victim.block(leases * LEASE_MS);
  await pause(leases * LEASE_MS + 500);
  log(`pid ${victim.pid} was blocked for ${leases} leases with ${hit.owned.length} running`);
  return leases < 1 ? { ...hit, workers: [] } : hit;
}

export const fz4: Hazard = {
  id: 'FZ4',
  title: 'event loop of a worker blocked for 0.5, 1.5 and 5 leases',
  async run({ seed, tier, log }: Conditions): Promise<Figures[]> {
    const rows: Figures[] = [];
    const course = courses[tier];
    for (const leases of course.leases) {
      const { history, faults, problems } = await run(
        course,
        new Random(seed),
        log,
        async (site) => [await block(site, leases)],
      );
      const taken = history.changes.filter(isRecovery).length;
      rows.push(
        judge({
          id: 'FZ4',
          seed,
          tier,
          load: `blocked for ${leases} leases; ${course.executions} executions of ${loadLong.description}`,
          history,
          faults,
          expectedFaults: 1,
          recoveries: [],
          measured: { 'executions taken over': taken },
          problems,
          timing:
            leases > 1 && taken === 0 ? ['nothing was taken over from a worker that was gone'] : [],
          log,
        }),
      );
    }
    return rows;
  },
};
