import { setTimeout as pause } from 'node:timers/promises';
import { statusCode } from '../../../lib/execution/execution-status.js';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import type { Change } from '../harness/audit-trigger.js';
import { run, type Course, type Fault, type Site } from '../harness/course.js';
import { judge, missed, rounded } from '../harness/judge.js';
import { whatRunsIn } from '../harness/kill.js';
import { Random } from '../harness/random.js';
import { percentile } from '../harness/recovery.js';
import { loadA, type OrderPayload } from '../loads/load-a.js';
import { BEAT_MS } from '../worker/settings.js';

/** The poll, and the round trips of a busy machine. */
const PICKED_UP_WITHIN_MS = BEAT_MS + 150;

const scaled: Course<OrderPayload> = {
  load: loadA,
  executions: 400,
  spanMs: 20_000,
  workers: 3,
  spares: 0,
  concurrency: 10,
  fsync: false,
};

const fast: Course<OrderPayload> = { ...scaled, executions: 100, spanMs: 4_000 };

const full: Course<OrderPayload> = { ...scaled, executions: 1_000, spanMs: 40_000 };

const courses: Record<Tier, Course<OrderPayload>> = { fast, scaled, full };

async function eachSecond(
  { cluster, log }: Site,
  spanMs: number,
  act: () => Promise<number>,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  let hit = 0;
  for (let at = 1_000; at <= spanMs; at += 1_000) {
    await pause(1_000);
    const { owned } = await whatRunsIn(cluster.engine);
    hit += await act();
    faults.push({ workers: [], owned });
  }
  log(`${hit} listening connections were ended`);
  return faults;
}

/** From being accepted to being claimed for the first time. */
function pickUps(changes: Change[]): number[] {
  const acceptedAt = new Map<string, number>();
  return changes.flatMap(({ subject, statement, execution, status, claims, at }) => {
    if (subject !== 'run') return [];
    if (statement === 'enqueue') acceptedAt.set(execution, at);
    return status === statusCode.running && claims === 1 ? [at - acceptedAt.get(execution)!] : [];
  });
}

export const fn1: Hazard = {
  id: 'FN1',
  title: 'LISTEN connections ended every second; then no notifications at all',
  async run({ seed, tier, log }: Conditions): Promise<Figures[]> {
    const course = courses[tier];
    const rows: Figures[] = [];
    for (const listen of [true, false]) {
      const { history, faults, problems } = await run(
        { ...course, listen },
        new Random(seed),
        log,
        (site) =>
          eachSecond(site, course.spanMs, async () =>
            listen ? await site.cluster.terminateBackends('listen') : 0,
          ),
      );
      const waited = pickUps(history.changes);
      const p99 = rounded(percentile(waited, 0.99));
      rows.push(
        judge({
          id: 'FN1',
          seed,
          tier,
          load: `${listen ? 'listeners ended every second' : 'nobody listens'}; ${course.executions} executions of ${loadA.description}`,
          history,
          faults,
          expectedFaults: course.spanMs / 1_000,
          recoveries: [],
          measured: {
            'picked up p50 ms': rounded(percentile(waited, 0.5)),
            'picked up p99 ms': p99,
            'picked up max ms': rounded(percentile(waited, 1)),
          },
          problems,
          timing: missed('pick-up p99', p99, PICKED_UP_WITHIN_MS),
          log,
        }),
      );
    }
    return rows;
  },
};
