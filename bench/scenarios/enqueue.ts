import type { SubjectProcess } from '../harness/subject-process.js';
import { bullMq, dbos, graphileWorker, ours, pgBoss, type Contender } from './contenders.js';
import { costs } from './costs.js';
import { entriesOf, type Context, type Measured, type Scenario } from './scenario.js';

const WARM_UP_MS = 500;
const contenders = [ours, graphileWorker, pgBoss, bullMq, dbos];

/** Callers that each await one invoke after the other, in a process without a worker. */
async function oneByOne(
  { stage, quick }: Context,
  contender: Contender,
  callers: number,
): Promise<Measured> {
  return await stage.set(contender, async (scene) => {
    const client = await scene.open();
    const warm = await client.call('invoke', { work: 'noop', callers, ms: WARM_UP_MS });
    await stage.server.checkpoint();
    const before = await stage.server.counters();
    const invoked = await client.call('invoke', { work: 'noop', callers, ms: quick ? 500 : 3_000 });
    const after = await stage.server.counters();
    await checkAccepted(client, warm.accepted + invoked.accepted);
    await client.close();
    const { accepted, ms } = invoked;
    return {
      value: (accepted / ms) * 1e3,
      facts: costs(contender, accepted, invoked, before, after),
    };
  });
}

async function bulk({ stage, some }: Context, contender: Contender): Promise<Measured> {
  return await stage.set(contender, async (scene) => {
    const count = some(50_000);
    const client = await scene.open();
    await client.call('load', { work: 'noop', count: 5_000 });
    await stage.server.checkpoint();
    const ms = await client.call('load', { work: 'noop', count, first: 5_000 }, 120_000);
    await checkAccepted(client, count + 5_000);
    await client.close();
    return { value: (count / ms) * 1e3 };
  });
}

async function checkAccepted(client: SubjectProcess, count: number): Promise<void> {
  const stored = await client.call('accepted', undefined);
  if (stored !== undefined && stored !== count)
    throw new Error(`${count} jobs were accepted, and ${stored} are stored`);
}

const scenario = (
  id: string,
  title: string,
  quick: Scenario['quick'],
  measure: (context: Context, contender: Contender) => Promise<Measured>,
): Scenario => ({
  id,
  title,
  goals: ['PF3'],
  unit: 'jobs/s',
  better: 'higher',
  rounds: 3,
  quick,
  entries: entriesOf(contenders, measure),
});

export const enqueue10 = scenario(
  'enqueue-10',
  'Invoke one by one, 10 callers in one process',
  'all',
  (context, contender) => oneByOne(context, contender, 10),
);

export const enqueue100 = scenario(
  'enqueue-100',
  'Invoke one by one, 100 callers in one process',
  'ours',
  (context, contender) => oneByOne(context, contender, 100),
);

export const enqueueBulk = scenario(
  'enqueue-bulk',
  'Invoke in bulk, 1,000 a call, one call after the other',
  'ours',
  bulk,
);
