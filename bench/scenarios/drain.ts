import type { Counters } from '../harness/server.js';
import { Probe } from '../harness/probe.js';
import { SubjectProcess } from '../harness/subject-process.js';
import type { Drained } from '../harness/actions.js';
import type { Work } from '../subjects/subject.js';
import {
  bare,
  graphileWorker,
  ours,
  ours100,
  pgBoss,
  type Contender,
  type Context,
  type Measured,
  type Scenario,
} from './scenario.js';

const WARM_UP = 500;
/** A round of a slow one ends here; its rate is that of this time. */
const CAP_MS = 60_000;

interface DrainOptions {
  work: Work;
  count: number;
  steps?: number;
}

/** All jobs are accepted first; then a worker that has been warmed up is started, and timed until the last one has ended. */
export async function drain(
  { server }: Context,
  { module, options, subject }: Contender,
  { work, count, steps }: DrainOptions,
): Promise<Measured> {
  return await server.withDatabase(async (postgres) => {
    const worker = await SubjectProcess.open(module, options, { postgres });
    try {
      await worker.call('warmUp', { work, count: WARM_UP, steps });
      await server.settle();
      await load(module, postgres, { work, count, steps });
      const before = await server.counters();
      const drained = await worker.call('drain', { expected: count, capMs: CAP_MS }, CAP_MS);
      const after = await server.counters();
      if (drained.finished || subject === ours.subject) await check(worker, count);
      await worker.close();
      return measured(drained, before, after);
    } finally {
      await worker.kill();
    }
  });
}

/** By a process that is gone when the drain begins. */
async function load(module: string, postgres: string, jobs: DrainOptions): Promise<void> {
  const loader = await SubjectProcess.open(module, {}, { postgres });
  try {
    await loader.call('load', jobs, CAP_MS);
    await loader.close();
  } finally {
    await loader.kill();
  }
  const probe = await Probe.open(postgres);
  await probe.rows('analyze');
  await probe.close();
}

/** Each job was done exactly once: by what ran here, and by what is stored. */
async function check(worker: SubjectProcess, count: number): Promise<void> {
  const runs = await worker.call('runs', undefined);
  const missed = runs.filter((times) => times === 0).length;
  const again = runs.filter((times) => times > 1).length;
  if (missed > 0 || again > 0)
    throw new Error(`of ${count} jobs ${missed} did not run and ${again} ran more than once`);
  const completed = await worker.call('completed', undefined);
  if (completed !== undefined && completed !== count + WARM_UP)
    throw new Error(`${completed} of ${count + WARM_UP} jobs are stored as completed`);
}

function measured(drained: Drained, before: Counters, after: Counters): Measured {
  const { ms, ran, cpuMs, roundTrips } = drained;
  const facts: Record<string, number> = {
    'WAL B/job': (after.walBytes - before.walBytes) / ran,
    'trips/job': roundTrips / ran,
    'Node µs/job': (cpuMs * 1e3) / ran,
  };
  if (after.cpuMs !== undefined && before.cpuMs !== undefined)
    facts['Postgres µs/job'] = ((after.cpuMs - before.cpuMs) * 1e3) / ran;
  return { value: (ran / ms) * 1e3, facts };
}

const entriesOf = (contenders: Contender[], options: DrainOptions) =>
  contenders.map((contender) => ({
    subject: contender.subject,
    ours: contender.ours,
    measure: (context: Context) => drain(context, contender, options),
  }));

export const drain20k: Scenario = {
  id: 'drain-20k',
  title: 'Drain 20,000 no-op jobs',
  goals: ['PF1', 'PF12'],
  unit: 'jobs/s',
  better: 'higher',
  rounds: { quick: 1, full: 5 },
  entries: entriesOf([ours, ours100, graphileWorker, pgBoss, bare], {
    work: 'noop',
    count: 20_000,
  }),
};
