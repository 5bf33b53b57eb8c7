import { setTimeout as pause } from 'node:timers/promises';
import { recordStatus } from '../../../lib/execution/step-record.js';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import { run, type Course, type Fault, type Site } from '../harness/course.js';
import { byExecution, type History } from '../harness/history.js';
import { judge } from '../harness/judge.js';
import { whatRunsIn } from '../harness/kill.js';
import { Random } from '../harness/random.js';
import { loadLong, longSteps, type LongPayload } from '../loads/load-long.js';
import { LEASE_MS } from '../worker/settings.js';

/** One worker, so that nobody else can have what it loses, with slots for the old attempts and the new ones. */
const whole: Course<LongPayload> = {
  load: loadLong,
  executions: 300,
  spanMs: 1_000,
  workers: 1,
  spares: 0,
  concurrency: 700,
  fsync: false,
  network: {},
};

const fast: Course<LongPayload> = { ...whole, executions: 60 };

const courses: Record<Tier, Course<LongPayload>> = { fast, scaled: whole, full: whole };

/** No beat gets through until the worker gives its lease up itself; then it finds what it lost and claims it again, while
 *  the bodies of the old attempts still run. */
async function fence({ cluster, fleet, log }: Site): Promise<Fault[]> {
  const [worker] = fleet.serving;
  await pause(whole.spanMs + 200);
  const hit = await whatRunsIn(cluster.engine, worker!.pid);
  worker!.proxy!.mode = { type: 'blackhole', direction: 'both' };
  await pause(LEASE_MS);
  worker!.proxy!.mode = { type: 'pass' };
  worker!.proxy!.reset(); // or its claim would wait for its deadline, and the old attempts would be over
  log(`the worker was cut off for a lease with ${hit.owned.length} running`);
  return [hit];
}

/** Executions whose body ran in two claims of one process, of which the first had not recorded it. */
function claimedAgain({ ledger, changes }: Pick<History, 'ledger' | 'changes'>) {
  const recorded = new Map(
    changes
      .filter(
        ({ subject, status, name }) =>
          subject === 'step' && status === recordStatus.completed && name === longSteps.first,
      )
      .map(({ execution, value, at }) => [execution, { effect: JSON.parse(value!) as string, at }]),
  );
  return [...byExecution(ledger.filter(({ step }) => step === longSteps.first))].filter(
    ([execution, runs]) =>
      runs.length > 1 && recorded.get(execution)?.effect === runs.at(-1)!.effect,
  );
}

export const fz3: Hazard = {
  id: 'FZ3',
  title: 'a worker claims its own lost executions again while their old attempts still run',
  async run({ seed, tier, log }: Conditions): Promise<Figures> {
    const course = courses[tier];
    const { history, faults, problems } = await run(course, new Random(seed), log, fence);
    const payloads = new Map(
      history.accepted.map(({ id, payload }) => [id, payload as LongPayload]),
    );
    const again = claimedAgain(history);
    // the old body had not ended when the new one began
    const overlapping = again.filter(
      ([execution, runs]) => runs[1]!.at - runs[0]!.at < payloads.get(execution)!.bodyMs,
    ).length;
    return judge({
      id: 'FZ3',
      seed,
      tier,
      load: `${course.executions} executions of ${loadLong.description}`,
      history,
      faults,
      expectedFaults: 1,
      recoveries: [],
      measured: { 'claimed again': again.length, 'while the old attempt ran': overlapping },
      problems,
      timing:
        overlapping < course.executions / 2
          ? [`does not count: only ${overlapping} old attempts were still running`]
          : [],
      log,
    });
  },
};
