import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import { run, type Course } from '../harness/course.js';
import { judge } from '../harness/judge.js';
import { killWorkers, type KillPlan } from '../harness/kill.js';
import { startsOf } from '../harness/local-starts.js';
import { Random } from '../harness/random.js';
import { recoveriesFrom } from '../harness/recovery.js';
import { loadA, type OrderPayload } from '../loads/load-a.js';
import { loadFamily, type MemberPayload } from '../loads/load-family.js';

export interface Fp1<P> extends Course<P> {
  kills: KillPlan;
}

/** Ten kills take at most the 20 s for which the load is fed. */
const scaled: Fp1<OrderPayload> = {
  load: loadA,
  executions: 2_000,
  spanMs: 20_000,
  workers: 3,
  spares: 3,
  concurrency: 10,
  fsync: false, // only workers are crashed
  kills: { count: 10, pauseMs: [1_500, 2_000] },
};

const fast: Fp1<OrderPayload> = {
  ...scaled,
  executions: 200,
  spanMs: 4_000,
  spares: 2,
  kills: { ...scaled.kills, count: 2 },
};

const full: Fp1<OrderPayload> = {
  ...scaled,
  executions: 10_000,
  spanMs: 85_000,
  kills: { count: 50, pauseMs: [1_500, 1_700] },
};

const courses: Record<Tier, Fp1<OrderPayload>> = { fast, scaled, full };

/** Invokes take their time, so that a kill meets some on their way. */
const ofFamilies = (course: Fp1<OrderPayload>, executions: number): Fp1<MemberPayload> => ({
  ...course,
  load: loadFamily,
  executions,
  network: { mode: { type: 'delay', ms: 5 } },
});

const familyCourses: Record<Tier, Fp1<MemberPayload>> = {
  fast: ofFamilies(fast, 8),
  scaled: ofFamilies(scaled, 60),
  full: ofFamilies(full, 250),
};

/** SIGKILL of a random worker, again and again. */
export async function runFp1<P>(fp1: Fp1<P>, { seed, tier, log }: Conditions): Promise<Figures> {
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
    ...startsOf(fp1.load, history),
    problems,
    log,
  });
}

export const fp1: Hazard = {
  id: 'FP1',
  title: 'SIGKILL of a random worker every 1.5 to 2 s, 10 times (full: 50 times)',
  run: async (conditions) => [
    await runFp1(courses[conditions.tier], conditions),
    await runFp1(familyCourses[conditions.tier], conditions),
  ],
};
