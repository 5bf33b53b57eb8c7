import { faultPoints, type FaultPoint } from '../../../lib/conductor.fault-points.js';
import { statusCode } from '../../../lib/execution/execution-status.js';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import { atOnce } from '../harness/at-once.js';
import { installAudit } from '../harness/audit-trigger.js';
import { openClient } from '../harness/client.js';
import { CopiedDatabases } from '../harness/copied-databases.js';
import { healed } from '../harness/healing.js';
import type { History } from '../harness/history.js';
import { examine } from '../harness/invariants.js';
import { doubled } from '../harness/invariants/bodies.js';
import { stale } from '../harness/invariants/fences.js';
import { lost } from '../harness/invariants/outcomes.js';
import { createLedger } from '../harness/ledger.js';
import type { Planned } from '../harness/load.js';
import { Random } from '../harness/random.js';
import { buildWorker } from '../harness/worker-build.js';
import { nameOf, Wrecks, type Crash, type Wreck } from '../harness/wrecks.js';
import { answer, isOverdue, loadWorkflow, type WorkflowPayload } from '../loads/load-workflow.js';

/** How many points, and pairs of them, are drawn. */
const sizes: Record<Tier, { points: number; pairs: number }> = {
  fast: { points: 16, pairs: 8 },
  scaled: { points: faultPoints.length, pairs: 60 },
  full: { points: faultPoints.length, pairs: faultPoints.length ** 2 },
};

/** Processes that boot or run at once, and contexts that finish what others left: those mostly wait for a lease to lapse. */
const PROCESSES = 6;
const HEALERS = 12;

/** What a process has to meet in order to come to a point. */
const meanwhile: Partial<Record<FaultPoint, Partial<Crash>>> = {
  'before-release_orphans-sent': { losesReplyAt: 'after-claim-reply' },
  'after-release_orphans-reply': { losesReplyAt: 'after-claim-reply' },
  'before-find_step-sent': { losesReplyAt: 'after-commit-reply' },
  'after-find_step-reply': { losesReplyAt: 'after-commit-reply' },
  'before-announce_stop-sent': { stopped: true },
  'after-announce_stop-reply': { stopped: true },
  'before-deregister_worker-sent': { stopped: true },
  'after-deregister_worker-reply': { stopped: true },
};

/** What has to have gone wrong before a point is reached. */
const afterWhat: Partial<Record<FaultPoint, Crash[]>> = {
  'before-recover-sent': [at('after-body')],
  'after-recover-reply': [at('after-body')],
  // alone runs what has taken two processes with it
  'before-start_alone-sent': [at('after-body'), at('after-body')],
  'after-start_alone-reply': [at('after-body'), at('after-body')],
};

interface Violation {
  invariant: string;
  what: string;
}

interface Trial {
  path: Crash[];
  hit: boolean;
  violations: Violation[];
  deadlocks: number;
}

/** The path on which a process exits at this point, and no other before. */
function pathTo(point: FaultPoint): Crash[] {
  return [...(afterWhat[point] ?? []), at(point)];
}

function at(point: FaultPoint, time = 1): Crash {
  return { point, time, ...meanwhile[point] };
}

export const fp2: Hazard = {
  id: 'FP2',
  title: `exit at each of ${faultPoints.length} fault points, then ${sizes.scaled.pairs} pairs of them (full: all pairs)`,
  async run(conditions: Conditions): Promise<Figures> {
    const build = await buildWorker();
    const databases = await CopiedDatabases.open();
    try {
      return await runFp2(databases, build.main, conditions);
    } finally {
      await databases.close();
      await build.remove();
    }
  },
};

async function runFp2(
  databases: CopiedDatabases,
  main: string,
  { seed, tier, log }: Conditions,
): Promise<Figures> {
  const random = new Random(seed);
  const plan = loadWorkflow.plan(2, random.branch());
  const wrecks = new Wrecks(databases, main, await prepare(databases, plan), atOnce(PROCESSES));
  const healers = atOnce(HEALERS);
  const trial = async (path: Crash[], wreck: Wreck): Promise<Trial> => {
    const history = await healers(() =>
      healed(databases, wreck, { load: loadWorkflow, accepted: plan }),
    );
    if (tier === 'full') await databases.drop(wreck.database); // or they would take 15 GB
    return {
      path,
      hit: wreck.hit,
      violations: violationsOf(history),
      deadlocks: history.deadlocks,
    };
  };

  const calm = await wrecks.undisturbed();
  const times = countEach(calm.reached);
  log(
    `without a crash ${times.size} of the ${faultPoints.length} points are passed, ${calm.reached.length} times`,
  );
  const undisturbed = await trial([], calm);
  const unlisted = [...times.keys()].filter((point) => !faultPoints.includes(point));
  if (undisturbed.violations.length > 0)
    return figuresOf({ seed, singles: [undisturbed], pairs: [], unlisted });

  const points = random.sample(faultPoints, sizes[tier].points);
  const singles = await Promise.all(
    points.map(async (point) => {
      const path = pathTo(point);
      const wreck = await wrecks.after(path);
      // pairs begin with it as it is
      return await trial(path, { ...wreck, database: await databases.copy(wreck.database) });
    }),
  );
  log(
    `${singles.length} processes exited at a point of their own; the next one finished each workflow`,
  );

  const firsts = points.filter((_, index) => singles[index]!.hit);
  const drawn =
    tier === 'full'
      ? firsts.flatMap((first) => faultPoints.map((second) => [first, second] as const))
      : Array.from(
          { length: sizes[tier].pairs },
          () => [random.pick(firsts), random.pick(faultPoints)] as const,
        );
  const pairs = await Promise.all(
    drawn.map(async ([first, second]) => {
      const path = [...pathTo(first), at(second, random.integer(1, times.get(second) ?? 1))];
      return await trial(path, await wrecks.make(path));
    }),
  );
  log(
    `${pairs.length} pairs; in ${hits(pairs)} of them the second process exited as well, in the others it finished the work`,
  );
  return figuresOf({ seed, singles, pairs, unlisted });
}

function figuresOf({
  seed,
  singles,
  pairs,
  unlisted,
}: {
  seed: number;
  singles: Trial[];
  pairs: Trial[];
  unlisted: string[];
}): Figures {
  const trials = [...singles, ...pairs];
  const sound = trials.filter(({ violations }) => violations.length === 0).length;
  const count = (name: string) =>
    trials
      .flatMap(({ violations }) => violations)
      .filter((violation) => violation.invariant === name).length;
  const problems = [
    ...unlisted.map((point) => `${point} is reached, and no fault point of that name is listed`),
    ...singles.filter(({ hit }) => !hit).map(({ path }) => `no process came to ${nameOf(path)}`),
    ...trials.flatMap(({ path, violations }) =>
      violations.map(
        ({ invariant, what }) => `exit at ${nameOf(path) || 'no point'}: ${invariant}: ${what}`,
      ),
    ),
  ];
  return {
    id: 'FP2',
    load: `each time ${loadWorkflow.description}`,
    lost: count(lost.name),
    doubled: count(doubled.name),
    stale: count(stale.name),
    deadlocks: trials.reduce((sum, { deadlocks }) => sum + deadlocks, 0),
    faultsInjected: hits(trials),
    faultsUnderLoad: hits(trials),
    recoveryP99Ms: null,
    recoveryMaxMs: null,
    measured: {
      'fault points': singles.length,
      pairs: pairs.length,
      'pairs whose second process exited too': hits(pairs),
      'same result %': Math.floor((100 * sound) / trials.length),
    },
    met: problems.length === 0,
    seed,
    problems,
  };
}

const hits = (trials: Trial[]) => trials.filter(({ hit, path }) => hit && path.length > 0).length;

/** A database in which the work waits, and nobody has begun. */
async function prepare(
  databases: CopiedDatabases,
  plan: Planned<WorkflowPayload>[],
): Promise<string> {
  const base = await databases.copy();
  const client = await openClient(databases.url(base));
  await databases.using(base, async (query) => {
    await installAudit(query);
    await createLedger(query);
  });
  for (const { id, payload } of plan)
    await client.conductor.invoke(loadWorkflow.task, payload, {
      id,
      ...(isOverdue(payload) && { expireAfter: 1 }),
    });
  await client.close();
  return base;
}

/** Of the workflow, and of what it asked for: each exactly once. */
function violationsOf(history: History<WorkflowPayload>): Violation[] {
  const ids = new Set(history.accepted.map(({ id }) => id));
  const findings = examine({
    ...history,
    outcomes: history.outcomes.filter(({ execution }) => ids.has(execution)),
  } as History);
  const workflows = history.accepted.filter(({ payload }) => !isOverdue(payload));
  const asked = workflows.flatMap(({ payload }) => payload.children);
  // and one each in the transaction of a step
  const expected = asked.length + workflows.length;
  const others = history.outcomes.filter(({ execution }) => !ids.has(execution));
  const wrong = [
    ...asked
      .filter(
        (id) =>
          !others.some(
            ({ execution, status }) => execution === id && status === statusCode.completed,
          ),
      )
      .map((id) => `${id}, which the workflow asked for, did not complete`),
    ...(others.length === expected
      ? []
      : [`${others.length} executions of ${answer.name}, and ${expected} were asked for`]),
  ];
  return [...findings.set('children', wrong)].flatMap(([invariant, found]) =>
    found.map((what) => ({ invariant, what })),
  );
}

function countEach(points: FaultPoint[]): Map<FaultPoint, number> {
  const counts = new Map<FaultPoint, number>();
  for (const point of points) counts.set(point, (counts.get(point) ?? 0) + 1);
  return counts;
}
