import { checkOnce } from './checks.js';
import { ours, type Contender } from './contenders.js';
import { entriesOf, type Context, type Measured, type Scenario } from './scenario.js';

const COUNT = 1_500_000;
const PARTS = 15;
/** The parts after which memory is read. What a million executions leave behind is told from the second one on: until then V8's own heap
 *  grows to the size that this load needs, and it keeps the pages that it has freed. Of the 49 MB that RSS grew by from 100,000 to
 *  1,000,000, 42 were such pages (the heap in use shrank), and 4 came after 600,000. */
const READ_AFTER = [1, 5, 15];
const PART_CAP_MS = 120_000;
const MB = 1_048_576;

interface Reading {
  rss: number;
  heap: number;
}

/** One process works through all of them without a pause, beside one that asks for them. */
async function memory({ stage, some }: Context, contender: Contender): Promise<Measured> {
  return await stage.set(contender, async (scene) => {
    const part = some(COUNT) / PARTS;
    const worker = await scene.open();
    const client = await scene.open();
    await worker.call('start', { expected: part * PARTS });
    const taken: Reading[] = [];
    for (let done = 1; done <= PARTS; done += 1) {
      const total = done * part;
      await client.call('load', { work: 'noop', count: part, first: total - part }, PART_CAP_MS);
      const ran = await worker.call('ran', { total, capMs: PART_CAP_MS }, PART_CAP_MS);
      if (ran < total) throw new Error(`${ran} of ${total} jobs ran`);
      if (READ_AFTER.includes(done)) taken.push(await worker.call('memory', undefined));
    }
    await worker.call('isDrained', undefined);
    await checkOnce([worker], part * PARTS);
    await worker.call('stop', undefined);
    await worker.close();
    await client.close();
    const [cold, first, last] = taken as [Reading, Reading, Reading];
    return {
      value: last.rss / first.rss,
      facts: {
        'RSS MB after 100,000': cold.rss / MB,
        'RSS MB after 500,000': first.rss / MB,
        'RSS MB after 1,500,000': last.rss / MB,
        'heap MB after 500,000': first.heap / MB,
        'heap MB after 1,500,000': last.heap / MB,
      },
    };
  });
}

export const memoryOfAMillion: Scenario = {
  id: 'memory',
  title: 'Memory of one process through 1,000,000 executions, after the first 500,000',
  goals: ['PF9'],
  unit: '× the RSS after 500,000',
  better: 'lower',
  rounds: 1,
  quick: 'none',
  entries: entriesOf([ours], memory),
};
