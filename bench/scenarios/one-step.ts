import { drain } from './drain.js';
import { as, dbos, ours } from './contenders.js';
import { entriesOf, type Scenario } from './scenario.js';

const COUNT = 20_000;

export const oneStep: Scenario = {
  id: 'one-step',
  title: 'Drain 20,000 jobs that each take one memoized step',
  goals: ['PF2'],
  unit: 'jobs/s',
  better: 'higher',
  rounds: 3,
  quick: 'ours',
  entries: [
    // with ten slots, each waits for its own write most of the time
    ...entriesOf(
      [ours, as(ours, 'nest-conductor, concurrency 100', { concurrency: 100 })],
      (context, contender) =>
        drain(context, contender, { work: 'steps', steps: 1, count: context.some(COUNT) }),
    ),
    ...entriesOf([as(ours, 'nest-conductor, without the step')], (context, contender) =>
      drain(context, contender, { work: 'noop', count: context.some(COUNT) }),
    ),
    ...entriesOf([as(dbos, 'DBOS (2,000 jobs)')], (context, contender) =>
      drain(context, contender, { work: 'steps', steps: 1, count: context.some(2_000) }),
    ),
  ],
};
