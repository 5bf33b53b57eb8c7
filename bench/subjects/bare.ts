import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { v7 } from 'uuid';
import type { Handle, Job, Place, Setting, Subject, SubjectOptions, Work } from './subject.js';

const BATCH = 500;
const LOOPS = 2;

export const settings: Setting[] = [
  {
    name: 'tables and indexes',
    value: 'those of nest-conductor, by its own migration',
    why: 'the physical limit of this shape',
  },
  {
    name: 'batches',
    value: `${BATCH} in one statement to claim and one to settle, prepared; ${LOOPS} loops`,
    why: 'Postgres works on one while JavaScript works on the other; without a fence, a lease or a check',
  },
];

export const ENQUEUE = `
with asked as (select * from unnest($1::uuid[], $2::text[]) x(id, payload)),
accepted as (
  insert into conductor.execution (id, task_id, priority, created_at, payload)
  select id, 1, 0, now(), payload::json from asked order by id)
insert into conductor.run (id, run_at, task_id, priority, status)
select id, now(), 1, 0, 0 from asked order by id`;

export const CLAIM = `
with claimed as (
  update conductor.run r
  set status = 1, token = $1, worker_id = 1, claims = r.claims + 1, started = true, started_at = coalesce(r.started_at, $2)
  where r.id = any(array(
    select x.id from conductor.run x
    where x.task_id = 1 and x.status in (0, 2) and not x.alone and x.priority = 0 and x.status = 0 and x.run_at <= $2
    order by x.run_at, x.id limit ${BATCH} for update skip locked))
  returning r.id)
select c.id, e.payload::text from claimed c join conductor.execution e on e.id = c.id`;

export const SETTLE = `
with ended as (
  delete from conductor.run r where r.id = any($1::uuid[])
  returning r.id, r.token, r.task_id, r.started_at, r.claims, r.failures, r.losses)
insert into conductor.outcome (id, token, finished_at, started_at, task_id, claims, status, failures, losses, result)
select e.id, e.token, now(), e.started_at, e.task_id, e.claims, 4, e.failures, e.losses, 'null'::json from ended e`;

/** A plain loop of SQL in the shape of our own tables, with none of what makes it safe. */
export class Bare implements Subject {
  protected pool!: pg.Pool;
  private working = false;
  private loops: Promise<void>[] = [];

  constructor(private readonly options: SubjectOptions) {}

  async open({ postgres }: Place): Promise<void> {
    this.pool = new pg.Pool({
      connectionString: postgres,
      max: LOOPS + 1,
      ...(this.options.durable === false && { options: '-c synchronous_commit=off' }),
    });
    await this.install();
  }

  async enqueue(_work: Work, jobs: Job[]): Promise<void> {
    await this.pool.query({
      name: 'enqueue',
      text: ENQUEUE,
      values: [jobs.map(() => v7()), jobs.map((job) => JSON.stringify(job))],
    });
  }

  async invoke(work: Work, job: Job): Promise<void> {
    await this.enqueue(work, [job]);
  }

  async start(handle: Handle): Promise<void> {
    this.working = true;
    this.loops = Array.from({ length: LOOPS }, () => this.loop(handle));
  }

  async stop(): Promise<void> {
    this.working = false;
    await Promise.all(this.loops);
  }

  async isDrained(): Promise<boolean> {
    const { rowCount } = await this.pool.query('select from conductor.run limit 1');
    return rowCount === 0;
  }

  async completed(): Promise<number> {
    const { rows } = await this.pool.query<{ count: number }>(
      'select count(*)::int from conductor.outcome',
    );
    return rows[0]!.count;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.pool.end();
  }

  private async loop(handle: Handle): Promise<void> {
    const client = await this.pool.connect();
    while (this.working) {
      const { rows } = await client.query<{ id: string; payload: string }>({
        name: 'claim',
        text: CLAIM,
        values: [randomUUID(), new Date()],
      });
      if (rows.length === 0) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        continue;
      }
      for (const { payload } of rows) handle(JSON.parse(payload) as Job);
      await client.query({
        name: 'settle',
        text: SETTLE,
        values: [rows.map(({ id }) => id)],
      });
    }
    client.release();
  }

  /** Our own tables, from the built package: this row stays the limit of their shape when they change. */
  private async install(): Promise<void> {
    const { rowCount } = await this.pool.query(
      `select from pg_namespace where nspname = 'conductor'`,
    );
    if (rowCount === 1) return;
    const file = new URL('persistence/sql/tables.js', import.meta.resolve('nest-conductor'));
    const { tables } = (await import(file.href)) as { tables: (schema: string) => string[] };
    await this.pool.query(['create schema conductor', ...tables('conductor')].join(';'));
  }
}

export const create = (options: SubjectOptions): Subject => new Bare(options);
