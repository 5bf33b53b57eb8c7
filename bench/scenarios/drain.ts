import type { Jobs } from '../harness/actions.js';
import type { Scene } from '../harness/stage.js';
import { checkOnce } from './checks.js';
import {
  as,
  bare,
  bullMq,
  dbos,
  graphileWorker,
  ours,
  pgBoss,
  type Contender,
} from './contenders.js';
import { costs } from './costs.js';
import { entriesOf, type Context, type Measured, type Scenario } from './scenario.js';

export const WARM_UP = 500;
/** A round of a slow one ends here; its rate is that of this time. */
export const CAP_MS = 60_000;

export interface DrainOptions extends Jobs {
  /** A database to begin with a copy of. */
  template?: string;
  /** Done before the drain, and undone after it by what it returns. */
  meanwhile?: (scene: Scene) => Promise<() => Promise<void>>;
}

/** All jobs are accepted first; then a worker that has been warmed up is started, and timed until the last one has ended. */
export async function drain(
  { stage }: Context,
  contender: Contender,
  { template, meanwhile, ...jobs }: DrainOptions,
): Promise<Measured> {
  const { work, count, steps } = jobs;
  const round = async (scene: Scene) => {
    const worker = await scene.open();
    await worker.call('warmUp', { work, count: WARM_UP, steps });
    const stored = (await worker.call('completed', undefined)) ?? 0;
    await stage.server.checkpoint();
    await load(scene, jobs);
    const undo = await meanwhile?.(scene);
    const before = await stage.server.counters();
    const drained = await worker.call('drain', { expected: count, capMs: CAP_MS }, CAP_MS);
    const after = await stage.server.counters();
    await undo?.();
    // at the cap the rest is still to be done: nothing is lost, and nothing can be counted
    if (drained.finished) await checkOnce([worker], count, stored);
    else if (drained.ran >= count)
      throw new Error('every job ran, but they are not stored as ended');
    await worker.close();
    const { ran, ms } = drained;
    return { value: (ran / ms) * 1e3, facts: costs(contender, ran, drained, before, after) };
  };
  return await stage.set(contender, round, template);
}

/** By a process that is gone when the drain begins. */
export async function load(scene: Scene, jobs: Jobs): Promise<void> {
  const loader = await scene.open();
  await loader.call('load', jobs, CAP_MS);
  await loader.close();
  await scene.analyze();
}

const COUNT = 20_000;
/** Its rate does not depend on it, and 20,000 would take a minute to accept and another one to run. */
const DBOS_COUNT = 5_000;

export const drain20k: Scenario = {
  id: 'drain-20k',
  title: 'Drain 20,000 no-op jobs',
  goals: ['PF1', 'PF12'],
  unit: 'jobs/s',
  better: 'higher',
  rounds: 3,
  quick: 'all',
  entries: [
    ...entriesOf(
      [
        ours,
        as(ours, 'nest-conductor, concurrency 100', { concurrency: 100 }),
        graphileWorker,
        pgBoss,
        bullMq,
        bare,
      ],
      (context, contender) =>
        drain(context, contender, { work: 'noop', count: context.some(COUNT) }),
    ),
    ...entriesOf([as(dbos, 'DBOS (5,000 jobs)')], (context, contender) =>
      drain(context, contender, { work: 'noop', count: context.some(DBOS_COUNT) }),
    ),
  ],
};

export const drain200k: Scenario = {
  id: 'drain-200k',
  title: 'Drain 200,000 no-op jobs',
  goals: ['PF1'],
  unit: 'jobs/s',
  better: 'higher',
  rounds: 3,
  quick: 'none',
  entries: entriesOf([ours, graphileWorker, pgBoss, bullMq, bare], (context, contender) =>
    drain(context, contender, { work: 'noop', count: context.some(200_000) }),
  ),
};
