import { setTimeout as sleep } from 'node:timers/promises';
import { Probe } from '../harness/probe.js';
import { now } from '../harness/now.js';
import { percentile } from '../harness/statistics.js';
import type { Scene } from '../harness/stage.js';
import type { SubjectProcess } from '../harness/subject-process.js';
import { checkOnce } from './checks.js';
import { CAP_MS, drain, load, WARM_UP } from './drain.js';
import { ours } from './contenders.js';
import type { Context, Measured, Scenario } from './scenario.js';

const COUNT = 50_000;
const SHARE_OF_DRAIN = 0.7;
const POLL_MS = 5;

async function openWorkers(scene: Scene, count: number): Promise<SubjectProcess[]> {
  const workers: SubjectProcess[] = [];
  for (let at = 0; at < count; at += 1) {
    const worker = await scene.open();
    await worker.call('warmUp', { work: 'noop', count: WARM_UP });
    workers.push(worker);
  }
  return workers;
}

/** By what the workers know: to ask the database all the while would take a part of it. */
async function allRan(workers: SubjectProcess[], count: number): Promise<void> {
  const until = now() + CAP_MS;
  for (;;) {
    const ran = await Promise.all(
      workers.map((worker) => worker.call('ran', { total: count, capMs: 0 })),
    );
    const total = ran.reduce((sum, own) => sum + own, 0);
    if (total >= count) return;
    if (now() > until) throw new Error(`${total} of ${count} jobs ran within ${CAP_MS / 1_000} s`);
    await sleep(POLL_MS);
  }
}

/** Their sessions report what happened to them at their end. */
async function closeWorkers(scene: Scene, workers: SubjectProcess[]): Promise<void> {
  await Promise.all(workers.map((worker) => worker.close()));
  const probe = await Probe.open(scene.place.postgres);
  const deadlocks = await probe.ask<number>(
    'select deadlocks::int from pg_stat_database where datname = current_database()',
  );
  await probe.close();
  if (deadlocks > 0) throw new Error(`there were ${deadlocks} deadlocks`);
}

async function drainBy({ stage, some }: Context, processes: number): Promise<Measured> {
  return await stage.set(ours, async (scene) => {
    const count = some(COUNT);
    const workers = await openWorkers(scene, processes);
    await stage.server.checkpoint();
    await load(scene, { work: 'noop', count });
    const began = now();
    await Promise.all(workers.map((worker) => worker.call('start', { expected: count })));
    await allRan(workers, count);
    if (!(await workers[0]!.call('isDrained', CAP_MS, CAP_MS)))
      throw new Error(`${count} jobs ran, but they are not stored as ended`);
    const ms = now() - began;
    await Promise.all(workers.map((worker) => worker.call('stop', undefined)));
    await checkOnce(workers, count, processes * WARM_UP);
    await closeWorkers(scene, workers);
    return { value: (count / ms) * 1e3 };
  });
}

export const threeProcesses: Scenario = {
  id: 'three-processes',
  title: 'Drain 50,000 no-op jobs by three worker processes',
  goals: ['PF13'],
  unit: 'jobs/s',
  better: 'higher',
  rounds: 3,
  quick: 'ours',
  entries: [
    { subject: ours.subject, ours: true, measure: (context) => drainBy(context, 3) },
    {
      subject: 'nest-conductor, one process',
      ours: true,
      measure: (context) => drainBy(context, 1),
    },
  ],
};

let drained = 0;

/** A client that offers jobs at 70 % of the rate at which one process drains, and three workers. */
async function underLoad({ stage, quick }: Context): Promise<Measured> {
  return await stage.set(ours, async (scene) => {
    const perSecond = drained * SHARE_OF_DRAIN;
    const ms = quick ? 1_000 : 8_000;
    const workers = await openWorkers(scene, 3);
    const client = await scene.open();
    const most = Math.ceil((perSecond * ms * 2) / 1e3) + 1_000;
    await Promise.all(workers.map((worker) => worker.call('start', { expected: most })));
    const offered = await client.call('offer', { work: 'noop', perSecond, ms }, ms);
    await allRan(workers, offered.accepted);
    await workers[0]!.call('isDrained', CAP_MS, CAP_MS);
    await Promise.all(workers.map((worker) => worker.call('stop', undefined)));
    await checkOnce(workers, offered.accepted, 3 * WARM_UP);
    const latencies: number[] = [];
    for (const worker of workers) latencies.push(...(await worker.call('latencies', undefined)));
    await closeWorkers(scene, [...workers, client]);
    return {
      value: percentile(latencies, 0.99),
      facts: {
        'p50 ms': percentile(latencies, 0.5),
        'asked jobs/s': perSecond,
        'accepted jobs/s': (offered.accepted / offered.ms) * 1e3,
      },
    };
  });
}

export const latencyUnderLoad: Scenario = {
  id: 'latency-under-load',
  title:
    'From invoke to the handler, three workers, at 70 % of the rate at which one process drains',
  goals: ['PF13'],
  unit: 'ms, p99',
  better: 'lower',
  rounds: 3,
  quick: 'ours',
  async prepare(context) {
    const { value } = await drain(context, ours, { work: 'noop', count: context.some(20_000) });
    drained = value;
  },
  entries: [{ subject: ours.subject, ours: true, measure: underLoad }],
};
