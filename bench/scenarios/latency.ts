import { percentile } from '../harness/statistics.js';
import { checkOnce } from './checks.js';
import {
  as,
  bareLatency,
  bullMq,
  dbos,
  graphileWorker,
  ours,
  pgBoss,
  type Contender,
} from './contenders.js';
import { entriesOf, type Context, type Measured, type Scenario } from './scenario.js';

const WARM_UP = 200;
const PINGS = 300;
const PAUSE_MS = 25;

const tuned = { tuned: 'latency' } as const;
const contenders = [
  ours,
  as(graphileWorker, graphileWorker.subject, tuned),
  as(pgBoss, pgBoss.subject, tuned),
  as(bullMq, bullMq.subject, tuned),
  as(dbos, dbos.subject, tuned),
  // what the machine needs, and which part of it is the disk's
  bareLatency,
  as(bareLatency, 'bare SQL, not durable', { durable: false }),
];

/** From just before the invoke to the handler's first line, on a system that has nothing else to do. */
async function latency(
  { stage, quick }: Context,
  contender: Contender,
  processes: 1 | 2,
): Promise<Measured> {
  return await stage.set(contender, async (scene) => {
    const count = quick ? 30 : PINGS;
    const worker = await scene.open();
    await worker.call('warmUp', { work: 'noop', count: WARM_UP });
    const stored = (await worker.call('completed', undefined)) ?? 0;
    const client = processes === 1 ? worker : await scene.open();
    await worker.call('start', { expected: count });
    await client.call('ping', { work: 'noop', count, pauseMs: PAUSE_MS });
    await worker.call('ran', { total: count, capMs: 10_000 });
    await worker.call('isDrained', undefined);
    await checkOnce([worker], count, stored);
    const latencies = await worker.call('latencies', undefined);
    await worker.call('stop', undefined);
    if (client !== worker) await client.close();
    await worker.close();
    return { value: percentile(latencies, 0.5), facts: { 'p99 ms': percentile(latencies, 0.99) } };
  });
}

const scenario = (
  id: string,
  title: string,
  processes: 1 | 2,
  quick: Scenario['quick'],
): Scenario => ({
  id,
  title,
  goals: ['PF4'],
  unit: 'ms, p50',
  better: 'lower',
  rounds: 3,
  quick,
  entries: entriesOf(contenders, (context, contender) => latency(context, contender, processes)),
});

export const latencyWithin = scenario(
  'latency-within',
  'From invoke to the handler, idle, in one process',
  1,
  'ours',
);

export const latencyAcross = scenario(
  'latency-across',
  'From invoke to the handler, idle, across two processes',
  2,
  'all',
);
