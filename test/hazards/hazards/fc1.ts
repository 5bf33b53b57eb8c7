import { setTimeout as pause } from 'node:timers/promises';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import { run, type Course, type Fault, type Site } from '../harness/course.js';
import { judge } from '../harness/judge.js';
import { whatRunsIn } from '../harness/kill.js';
import { startsOf } from '../harness/local-starts.js';
import { Random } from '../harness/random.js';
import { loadA, type OrderPayload } from '../loads/load-a.js';
import { loadFamily, type MemberPayload } from '../loads/load-family.js';

const PAUSE_MS = 200;

const scaled: Course<OrderPayload> = {
  load: loadA,
  executions: 2_000,
  spanMs: 30_000,
  workers: 3,
  spares: 0,
  concurrency: 10,
  fsync: false,
};

const fast: Course<OrderPayload> = { ...scaled, executions: 200, spanMs: 4_000 };

const full: Course<OrderPayload> = { ...scaled, executions: 5_000, concurrency: 30 };

const courses: Record<Tier, Course<OrderPayload>> = { fast, scaled, full };

const ofFamilies = (course: Course<OrderPayload>, executions: number): Course<MemberPayload> => ({
  ...course,
  load: loadFamily,
  executions,
});

const familyCourses: Record<Tier, Course<MemberPayload>> = {
  fast: ofFamilies(fast, 8),
  scaled: ofFamilies(scaled, 60),
  full: ofFamilies(full, 100),
};

/** Ends every connection of workers and client, again and again. Nobody may lose its lease by it. */
async function terminateBackends(
  { cluster, log }: Pick<Site, 'cluster' | 'log'>,
  spanMs: number,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  const began = performance.now();
  let terminated = 0;
  for (let at = PAUSE_MS; at <= spanMs; at += PAUSE_MS) {
    await pause(Math.max(0, began + at - performance.now()));
    const { owned } = await whatRunsIn(cluster.engine);
    terminated += await cluster.terminateBackends();
    faults.push({ workers: [], owned });
  }
  log(`${terminated} backends were terminated, ${faults.length} times all of them`);
  return faults;
}

async function runFc1<P>(course: Course<P>, { seed, tier, log }: Conditions): Promise<Figures> {
  const { history, faults, problems } = await run(course, new Random(seed), log, (site) =>
    terminateBackends(site, course.spanMs),
  );
  return judge({
    id: 'FC1',
    seed,
    tier,
    load: `${course.executions} executions of ${course.load.description}`,
    history,
    faults,
    expectedFaults: course.spanMs / PAUSE_MS,
    recoveries: [],
    ...startsOf(course.load, history),
    problems,
    log,
  });
}

export const fc1: Hazard = {
  id: 'FC1',
  title: 'all backends of the engine terminated every 200 ms for 30 s',
  run: async (conditions) => [
    await runFc1(courses[conditions.tier], conditions),
    await runFc1(familyCourses[conditions.tier], conditions),
  ],
};
