import { median } from '../harness/statistics.js';
import { ours, type Contender } from './contenders.js';
import { entriesOf, type Context, type Measured, type Scenario } from './scenario.js';

const STEPS = 1_000;

/** Executions one after the other that take their steps, are put away, and go through them again from what is recorded. */
async function replay({ stage, quick }: Context, contender: Contender): Promise<Measured> {
  return await stage.set(contender, async (scene) => {
    const worker = await scene.open();
    const notes: Record<string, number>[] = [];
    for (let execution = 0; execution < (quick ? 2 : 5); execution += 1) {
      await worker.call('load', { work: 'replay', count: 1, steps: STEPS });
      await worker.call('drain', { expected: 1, capMs: 30_000 });
      notes.push(...(await worker.call('notes', undefined)));
    }
    await worker.close();
    const [, ...measured] = notes; // the first one warms up
    if (measured.length === 0) throw new Error('no execution came to its end');
    return {
      value: median(measured.map(({ ms }) => ms!)),
      facts: { queries: Math.max(...measured.map(({ queries }) => queries!)) },
    };
  });
}

export const replay1000: Scenario = {
  id: 'replay',
  title: 'Replay of 1,000 recorded steps',
  goals: ['PF11'],
  unit: 'ms',
  better: 'lower',
  rounds: 3,
  quick: 'ours',
  entries: entriesOf([ours], replay),
};
