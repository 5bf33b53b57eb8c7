import { drain } from './drain.js';
import { as, dbos, ours } from './contenders.js';
import { entriesOf, type Scenario } from './scenario.js';

const STEPS = 10;
const options = { concurrency: 50 };

export const tenSteps: Scenario = {
  id: 'ten-steps',
  title: 'Ten memoized steps × 1,000 executions, 50 at once',
  goals: ['PF5'],
  unit: 'steps/s',
  better: 'higher',
  rounds: 3,
  quick: 'all',
  entries: entriesOf(
    [as(ours, ours.subject, options), as(dbos, dbos.subject, options)],
    async (context, contender) => {
      const count = context.some(1_000);
      const { value, facts } = await drain(context, contender, {
        work: 'steps',
        steps: STEPS,
        count,
      });
      return { value: value * STEPS, facts };
    },
  ),
};
