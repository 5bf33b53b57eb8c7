import { PgBoss } from 'pg-boss';
import { Probe } from '../harness/probe.js';
import type { Handle, Job, Place, Setting, Subject, SubjectOptions, Work } from './subject.js';

const BATCH = 1_000;
/** Measured, 20,000 jobs: 20k/s with one, 25k with two, 24k with three. */
const WORKERS = 2;

export const settings: Setting[] = [
  {
    name: 'batchSize',
    value: `${BATCH}`,
    why: 'one statement fetches, and one completes, so many jobs',
  },
  {
    name: 'localConcurrency',
    value: `${WORKERS}`,
    why: 'one fetches while the other completes; more gave nothing',
  },
  {
    name: 'burstWhenBatchFull',
    value: 'true',
    why: 'fetches again at once while batches are full, instead of after the polling interval',
  },
  {
    name: 'useListenNotify, notify',
    value: 'true where latency is measured',
    why: 'workers are woken when a job comes, instead of at the next poll; it makes single inserts slower',
  },
  { name: 'insert', value: 'for bulk', why: 'its function for many jobs in one statement' },
];

class PgBossSubject implements Subject {
  private boss!: PgBoss;
  private probe!: Probe;

  constructor(private readonly options: SubjectOptions) {}

  async open({ postgres }: Place): Promise<void> {
    const notify = this.options.tuned === 'latency';
    this.boss = new PgBoss({ connectionString: postgres, useListenNotify: notify });
    this.boss.on('error', (error) => console.error(error));
    await this.boss.start();
    await this.boss.createQueue('noop', { notify });
    this.probe = await Probe.open(postgres);
  }

  async enqueue(work: Work, jobs: Job[]): Promise<void> {
    await this.boss.insert(
      work,
      jobs.map((data) => ({ data })),
    );
  }

  async invoke(work: Work, job: Job): Promise<void> {
    await this.boss.send(work, job);
  }

  async start(handle: Handle): Promise<void> {
    const options = {
      batchSize: BATCH,
      burstWhenBatchFull: true,
      pollingIntervalSeconds: 0.5,
      localConcurrency: this.options.concurrency ?? WORKERS,
    };
    await this.boss.work<Job>('noop', options, async (jobs) => {
      for (const { data } of jobs) handle(data);
    });
  }

  async stop(): Promise<void> {
    await this.boss.offWork('noop', { wait: true });
  }

  async isDrained(): Promise<boolean> {
    return await this.probe.ask<boolean>(
      `select not exists (select from pgboss.job where name = 'noop' and state < 'completed')`,
    );
  }

  async accepted(): Promise<number> {
    return await this.probe.ask<number>(`select count(*)::int from pgboss.job where name = 'noop'`);
  }

  async completed(): Promise<number> {
    return await this.probe.ask<number>(
      `select count(*)::int from pgboss.job where name = 'noop' and state = 'completed'`,
    );
  }

  async close(): Promise<void> {
    await this.boss.stop({ graceful: false });
    await this.probe.close();
  }
}

export const create = (options: SubjectOptions): Subject => new PgBossSubject(options);
