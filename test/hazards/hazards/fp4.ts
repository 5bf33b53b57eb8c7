import { statusCode } from '../../../lib/execution/execution-status.js';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import { run, type Course } from '../harness/course.js';
import { judge, missed } from '../harness/judge.js';
import { Random } from '../harness/random.js';
import { recoveriesFrom } from '../harness/recovery.js';
import { supervise } from '../harness/supervisor.js';
import { loadPoison, type PoisonPayload } from '../loads/load-poison.js';

/** The engine's own bound. */
const LOSSES = 3;

const GIVE_UP_MS = 300_000;

const scaled: Course<PoisonPayload> = {
  load: loadPoison,
  executions: 400,
  spanMs: 10_000,
  workers: 3,
  spares: 2,
  concurrency: 10,
  fsync: false,
  nodeOptions: ['--max-old-space-size=128'],
  // exit(1), and what abort and V8 do; the endless loop has to be killed
  expectsEnd: ({ code, signal }) => code === 1 || signal === 'SIGABRT',
};

/** One that exits, and one that aborts. */
const fast: Course<PoisonPayload> = { ...scaled, executions: 200, spanMs: 4_000, spares: 1 };

const full: Course<PoisonPayload> = { ...scaled, executions: 2_000, spanMs: 60_000 };

const courses: Record<Tier, Course<PoisonPayload>> = { fast, scaled, full };

export const fp4: Hazard = {
  id: 'FP4',
  title: 'poison: 4 executions in 400 end or stop their process (full: 20 in 2,000)',
  async run({ seed, tier, log }: Conditions): Promise<Figures> {
    const course = courses[tier];
    const poisoned = course.executions / 100;
    const { history, faults, problems } = await run(
      course,
      new Random(seed),
      log,
      ({ cluster, fleet }) => {
        const end = performance.now() + GIVE_UP_MS;
        return supervise(
          cluster,
          fleet,
          async () => {
            const [row] = await cluster.engine<{ failed: number }>(
              'select count(*)::int as failed from conductor.outcome where status = $1',
              [statusCode.failed],
            );
            return row!.failed >= poisoned || performance.now() > end;
          },
          log,
        );
      },
    );
    const losses = history.outcomes
      .filter(({ status }) => status === statusCode.failed)
      .map((outcome) => outcome.losses);
    const most = Math.max(0, ...losses);
    const neighbours = history.outcomes.filter(
      ({ status, losses: lost }) => status === statusCode.completed && lost > 0,
    ).length;
    return judge({
      id: 'FP4',
      seed,
      tier,
      load: `${course.executions} executions of ${loadPoison.description}`,
      history,
      faults,
      expectedFaults: Math.floor(poisoned * LOSSES * 0.8), // two of them may share a process, and its death
      recoveries: recoveriesFrom(faults, history),
      measured: {
        'failed with WORKER_LOST': losses.length,
        'most losses': most,
        'neighbours that lost a process and completed': neighbours,
      },
      problems: [...problems, ...missed('the number of losses before the end', most, LOSSES)],
      log,
    });
  },
};
