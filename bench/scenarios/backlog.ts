import { setTimeout as sleep } from 'node:timers/promises';
import { Probe } from '../harness/probe.js';
import { median } from '../harness/statistics.js';
import type { Scene } from '../harness/stage.js';
import { SubjectProcess } from '../harness/subject-process.js';
import { drain } from './drain.js';
import { ours } from './contenders.js';
import type { Context, Entry, Measured, Scenario } from './scenario.js';

const COUNT = 20_000;
const BACKLOG = 1_000_000;

/** Between two notifications that bring nothing. */
const POLL_MS = 20;

/** Ids as the client makes them, uuid v7, of a millisecond a hundred rows: in the order in which they came. */
const ids = (count: number, place: string) => `
select (lpad(to_hex(1700000000000 + i / 100), 12, '0') || '7' || lpad(to_hex(i % 4096), 3, '0') || '${place}' || substr(md5(i::text), 1, 15))::uuid as id, i
from generate_series(1, ${count}) i`;

const asked = (count: number, place: string) => `
insert into conductor.execution (id, task_id, priority, created_at, payload)
select x.id, t.id, 0, now() - interval '1 hour', json_build_object('n', x.i)
from (${ids(count, place)}) x, conductor.task t where t.name = 'bench.noop' order by x.id`;

const finished = (count: number): string[] => [
  asked(count, '8'),
  `insert into conductor.outcome (id, token, finished_at, started_at, task_id, claims, status, failures, losses, result)
   select e.id, gen_random_uuid(), now() - interval '1 hour', now() - interval '1 hour', e.task_id, 1, 4, 0, 0, 'null'
   from conductor.execution e where e.payload ->> 'n' is not null and e.created_at < now() - interval '30 min' order by e.id`,
];

/** Half of them wait for their first start, half sleep in the middle; all of the very task that is drained. */
const sleeping = (count: number): string[] => [
  asked(count, '9'),
  `insert into conductor.run (id, run_at, started_at, task_id, priority, status, claims)
   select e.id, now() + interval '30 days', null, e.task_id, 0, case when row_number() over () % 2 = 0 then 0 else 2 end, 0
   from conductor.execution e where e.created_at < now() - interval '30 min' order by e.id`,
];

const templates = new Map<string, string>();

async function makeTemplate(
  { stage, some }: Context,
  name: string,
  fill: (count: number) => string[],
) {
  const { server } = stage;
  const database = await server.createDatabase();
  templates.set(name, database);
  const postgres = server.urlOf(database);
  const worker = await SubjectProcess.open(ours.module, {}, { postgres });
  await worker.call('warmUp', { work: 'noop', count: 100 });
  await worker.close();
  const probe = await Probe.open(postgres);
  for (const statement of fill(some(BACKLOG))) await probe.rows(statement);
  await probe.rows('vacuum analyze');
  await probe.close();
  await server.checkpoint();
}

async function dropTemplates({ stage }: Context): Promise<void> {
  for (const [name, database] of templates) {
    templates.delete(name);
    await stage.server.dropDatabase(database);
  }
}

/** A transaction that began before the drain and looks at the rows as they were. */
async function holdSnapshot({ place }: Scene): Promise<() => Promise<void>> {
  const probe = await Probe.open(place.postgres);
  await probe.rows('begin isolation level repeatable read');
  await probe.rows('select count(*) from conductor.run');
  return () => probe.close();
}

const entry = (subject: string, measure: (context: Context) => Promise<Measured>): Entry => ({
  subject,
  ours: true,
  measure,
});

const drainBeside = (context: Context, template?: string) =>
  drain(context, ours, {
    work: 'noop',
    count: context.some(COUNT),
    ...(template !== undefined && { template: templates.get(template)! }),
  });

export const backlog: Scenario = {
  id: 'backlog',
  title: 'Drain 20,000 no-op jobs beside what lies there',
  goals: ['PF7'],
  unit: 'jobs/s',
  better: 'higher',
  rounds: 3,
  quick: 'ours',
  async prepare(context) {
    await makeTemplate(context, 'finished', finished);
    await makeTemplate(context, 'sleeping', sleeping);
    // the disk is busy with what was written for them: the first drain afterwards took 1.7 × as long, with the same CPU
    await drainBeside(context);
  },
  cleanUp: dropTemplates,
  entries: [
    entry(ours.subject, (context) => drainBeside(context)),
    entry('beside 1,000,000 finished', (context) => drainBeside(context, 'finished')),
    entry('beside 1,000,000 that sleep', (context) => drainBeside(context, 'sleeping')),
    entry('with an old snapshot held open', (context) =>
      drain(context, ours, {
        work: 'noop',
        count: context.some(COUNT),
        meanwhile: holdSnapshot,
      }),
    ),
  ],
};

/** Of the worker that is told that there may be something, and finds nothing; the round trip included. */
async function idleClaim({ stage, quick }: Context): Promise<Measured> {
  return await stage.set(
    ours,
    async (scene) => {
      const worker = await scene.open();
      await worker.call('warmUp', { work: 'noop', count: 200 });
      await worker.call('start', { expected: 0 });
      await worker.call('statementTimes', 'claim');
      const count = quick ? 30 : 200;
      const probe = await Probe.open(scene.place.postgres);
      for (let told = 0; told < count; told += 1) {
        await probe.ask(`select pg_notify('conductor:q' || id, '') from conductor.queue`);
        await sleep(POLL_MS);
      }
      await probe.close();
      const times = await worker.call('statementTimes', 'claim');
      if (times.length < count / 2)
        throw new Error(
          `${times.length} claims of ${count}: is the statement or the channel another one?`,
        );
      await worker.call('stop', undefined);
      await worker.close();
      return { value: median(times) };
    },
    templates.get('sleeping'),
  );
}

export const idlePoll: Scenario = {
  id: 'idle-poll',
  title: 'A claim that finds nothing, beside 1,000,000 that sleep',
  goals: ['PF7'],
  unit: 'ms, p50',
  better: 'lower',
  rounds: 3,
  quick: 'ours',
  prepare: (context) => makeTemplate(context, 'sleeping', sleeping),
  cleanUp: dropTemplates,
  entries: [entry(ours.subject, idleClaim)],
};
