import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import { run, type Course } from '../harness/course.js';
import { judge } from '../harness/judge.js';
import { killWorkers, type KillPlan } from '../harness/kill.js';
import { Random } from '../harness/random.js';
import { recoveriesFrom } from '../harness/recovery.js';
import { loadA, type OrderPayload } from '../loads/load-a.js';

export interface Fp1 extends Course<OrderPayload> {
  kills: KillPlan;
}

/** Ten kills take at most the 20 s for which the load is fed. */
const scaled: Fp1 = {
  load: loadA,
  executions: 2_000,
  spanMs: 20_000,
  workers: 3,
  spares: 3,
  concurrency: 10,
  fsync: false, // only workers are crashed
  kills: { count: 10, pauseMs: [1_500, 2_000] },
};

const fast: Fp1 = {
  ...scaled,
  executions: 200,
  spanMs: 4_000,
  spares: 2,
  kills: { ...scaled.kills, count: 2 },
};

const full: Fp1 = {
  ...scaled,
  executions: 10_000,
  spanMs: 85_000,
  kills: { count: 50, pauseMs: [1_500, 1_700] },
};

const courses: Record<Tier, Fp1> = { fast, scaled, full };

/** SIGKILL of a random worker, again and again. */
export async function runFp1(fp1: Fp1, { seed, tier, log }: Conditions): Promise<Figures> {
  const { history, faults, problems } = await run(
    fp1,
    new Random(seed),
    log,
    ({ cluster, fleet, random }) => killWorkers(cluster, fleet, fp1.kills, random, log),
  );
  return judge({
    id: 'FP1',
    seed,
    tier,
    load: `${fp1.executions} executions of ${fp1.load.description}`,
    history,
    faults,
    expectedFaults: fp1.kills.count,
    recoveries: recoveriesFrom(faults, history),
    problems,
    log,
  });
}

export const fp1: Hazard = {
  id: 'FP1',
  title: 'SIGKILL of a random worker every 1.5 to 2 s, 10 times (full: 50 times)',
  run: (conditions) => runFp1(courses[conditions.tier], conditions),
};
