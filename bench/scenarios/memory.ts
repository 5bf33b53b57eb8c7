import { checkOnce } from './checks.js';
import { ours, type Contender } from './contenders.js';
import { entriesOf, type Context, type Measured, type Scenario } from './scenario.js';

const COUNT = 1_000_000;
const PARTS = 10;
const PART_CAP_MS = 120_000;
const MB = 1_048_576;

/** One process works through all of them without a pause, beside one that asks for them. */
async function memory({ stage, some }: Context, contender: Contender): Promise<Measured> {
  return await stage.set(contender, async (scene) => {
    const part = some(COUNT) / PARTS;
    const worker = await scene.open();
    const client = await scene.open();
    await worker.call('start', { expected: part * PARTS });
    const taken: { rss: number; heap: number }[] = [];
    for (let done = 0; done < PARTS; done += 1) {
      await client.call('load', { work: 'noop', count: part, first: done * part }, PART_CAP_MS);
      const total = (done + 1) * part;
      const ran = await worker.call('ran', { total, capMs: PART_CAP_MS }, PART_CAP_MS);
      if (ran < total) throw new Error(`${ran} of ${total} jobs ran`);
      if (done === 0 || done === PARTS - 1) taken.push(await worker.call('memory', undefined));
    }
    await worker.call('isDrained', undefined);
    await checkOnce([worker], part * PARTS);
    await worker.call('stop', undefined);
    await worker.close();
    await client.close();
    const [first, last] = taken as [{ rss: number; heap: number }, { rss: number; heap: number }];
    return {
      value: last.rss / first.rss,
      facts: {
        'RSS MB after 100,000': first.rss / MB,
        'RSS MB after 1,000,000': last.rss / MB,
        'heap MB after 100,000': first.heap / MB,
        'heap MB after 1,000,000': last.heap / MB,
      },
    };
  });
}

export const memoryOfAMillion: Scenario = {
  id: 'memory',
  title: 'Memory of one process through 1,000,000 executions',
  goals: ['PF9'],
  unit: '× the RSS after 100,000',
  better: 'lower',
  rounds: 1,
  quick: 'none',
  entries: entriesOf([ours], memory),
};
