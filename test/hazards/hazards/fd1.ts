import { setTimeout as pause } from 'node:timers/promises';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import type { Change } from '../harness/audit-trigger.js';
import { run, type Course, type Fault, type Site } from '../harness/course.js';
import { judge, missed, rounded } from '../harness/judge.js';
import { whatRunsIn } from '../harness/kill.js';
import { Random } from '../harness/random.js';
import { loadA, type OrderPayload } from '../loads/load-a.js';

const WORKS_WITHIN_MS = 2_000;

interface Fd1 extends Course<OrderPayload> {
  crashes: number;
  pauseMs: [number, number];
}

const scaled: Fd1 = {
  load: loadA,
  executions: 2_000,
  spanMs: 32_000,
  workers: 3,
  spares: 0,
  concurrency: 10,
  fsync: true,
  crashable: true,
  crashes: 4,
  pauseMs: [5_000, 8_000],
};

const fast: Fd1 = {
  ...scaled,
  executions: 300,
  spanMs: 6_000,
  crashes: 1,
  pauseMs: [2_000, 3_000],
};

const full: Fd1 = { ...scaled, executions: 10_000, spanMs: 215_000, crashes: 30 };

const courses: Record<Tier, Fd1> = { fast, scaled, full };

interface Crash extends Fault {
  /** When the server took connections again. */
  availableAt: number;
}

/** Nobody may be charged or lose its lease for an outage of the database. */
async function crash({ cluster, log }: Site): Promise<Crash> {
  const { owned } = await whatRunsIn(cluster.engine);
  const at = Date.now();
  await cluster.crash();
  const availableAt = Date.now();
  log(`Postgres crashed with ${owned.length} running, and was back after ${availableAt - at} ms`);
  return { workers: [], owned, availableAt };
}

/** From each availability until a worker had written something. */
function worksAfter(crashes: Crash[], changes: Change[]): number[] {
  const work = changes.filter(({ statement }) =>
    ['claim', 'save_steps', 'settle'].includes(statement ?? ''),
  );
  return crashes.map(
    ({ availableAt }) => (work.find(({ at }) => at >= availableAt)?.at ?? Infinity) - availableAt,
  );
}

export const fd1: Hazard = {
  id: 'FD1',
  title: 'immediate restart of Postgres every 5 to 8 s, 4 times (full: 30 times)',
  async run({ seed, tier, log }: Conditions): Promise<Figures> {
    const course = courses[tier];
    const { history, faults, problems } = await run(course, new Random(seed), log, async (site) => {
      const crashes: Crash[] = [];
      while (crashes.length < course.crashes) {
        await pause(site.random.integer(...course.pauseMs));
        crashes.push(await crash(site));
      }
      return crashes;
    });
    const works = rounded(Math.max(...worksAfter(faults, history.changes)));
    return judge({
      id: 'FD1',
      seed,
      tier,
      load: `${course.executions} executions of ${loadA.description}`,
      history,
      faults,
      expectedFaults: course.crashes,
      recoveries: [],
      measured: { 'works again within ms': works },
      problems,
      timing: missed('from availability to work', works, WORKS_WITHIN_MS),
      log,
    });
  },
};
