import { DBOS, DBOSClient } from '@dbos-inc/dbos-sdk';
import pg from 'pg';
import { Probe } from '../harness/probe.js';
import type { Handle, Job, Place, Setting, Subject, SubjectOptions, Work } from './subject.js';

const POOL_SIZE = 20;
/** Measured, 2,000 jobs, two rounds: 50: 0.67k and 1.1k/s, 100: 0.78k and 1.3k, 500: 0.91k and 1.1k, 2,000: 0.92k and 0.85k. */
const WORKER_CONCURRENCY = 100;
const POLLING_MS = 20;

export const settings: Setting[] = [
  {
    name: 'systemDatabasePoolSize',
    value: `${POOL_SIZE}`,
    why: 'each workflow writes by itself, so connections are what it can use',
  },
  {
    name: 'workerConcurrency, minPollingIntervalMs',
    value: `${WORKER_CONCURRENCY}, ${POLLING_MS}`,
    why: 'a queue is polled, once a second by default: more often it is faster, and waits less',
  },
  {
    name: 'DBOSClient.enqueueInTransaction',
    value: 'for bulk',
    why: 'it has no function for many; so they at least share one commit',
  },
];

const QUEUE = 'bench';

let handle: Handle;

async function noop(job: Job): Promise<void> {
  handle(job);
}

async function steps(job: Job): Promise<void> {
  for (let step = 0; step < job.steps!; step += 1)
    await DBOS.runStep(async () => step, { name: `step ${step}` });
  handle(job);
}

DBOS.registerWorkflow(noop, { name: 'noop' });
DBOS.registerWorkflow(steps, { name: 'steps' });

class Dbos implements Subject {
  private client!: DBOSClient;
  private pool!: pg.Pool;
  private probe!: Probe;

  constructor(private readonly options: SubjectOptions) {}

  async open({ postgres }: Place): Promise<void> {
    DBOS.setConfig({
      name: 'bench',
      systemDatabaseUrl: postgres,
      systemDatabasePoolSize: POOL_SIZE,
      applicationVersion: '1',
      logLevel: 'error',
    });
    await this.launch(); // migrates
    await DBOS.shutdown();
    this.pool = new pg.Pool({ connectionString: postgres, max: POOL_SIZE });
    this.client = await DBOSClient.create({
      systemDatabaseUrl: postgres,
      systemDatabasePool: this.pool,
    });
    this.probe = await Probe.open(postgres);
  }

  async enqueue(work: Work, jobs: Job[]): Promise<void> {
    const connection = await this.pool.connect();
    await connection.query('begin');
    for (const job of jobs)
      await this.client.enqueueInTransaction(
        connection,
        { queueName: QUEUE, workflowName: work },
        job,
      );
    await connection.query('commit');
    connection.release();
  }

  async invoke(work: Work, job: Job): Promise<void> {
    await this.client.enqueue({ queueName: QUEUE, workflowName: work }, job);
  }

  async start(handler: Handle): Promise<void> {
    handle = handler;
    await this.launch();
  }

  async stop(): Promise<void> {
    await DBOS.shutdown({ workflowCompletionTimeoutMS: 5_000 });
  }

  async isDrained(): Promise<boolean> {
    return await this.probe.ask<boolean>(
      `select not exists (select from dbos.workflow_status where status in ('ENQUEUED', 'PENDING'))`,
    );
  }

  async accepted(): Promise<number> {
    return await this.probe.ask<number>('select count(*)::int from dbos.workflow_status');
  }

  async completed(): Promise<number> {
    return await this.probe.ask<number>(
      `select count(*)::int from dbos.workflow_status where status = 'SUCCESS'`,
    );
  }

  async close(): Promise<void> {
    await this.probe.close();
    await this.client.destroy();
    await this.pool.end();
  }

  private async launch(): Promise<void> {
    await DBOS.launch();
    await DBOS.registerQueue(QUEUE, {
      workerConcurrency: this.options.concurrency ?? WORKER_CONCURRENCY,
      minPollingIntervalMs: POLLING_MS,
    });
  }
}

export const create = (options: SubjectOptions): Subject => new Dbos(options);
