import { Logger, makeWorkerUtils, run, type Runner, type WorkerUtils } from 'graphile-worker';
import pg from 'pg';
import { Probe } from '../harness/probe.js';
import type { Handle, Job, Place, Setting, Subject, SubjectOptions, Work } from './subject.js';

/** https://worker.graphile.org/docs/performance, "The above stats were achieved with this configuration". */
const CONCURRENT_JOBS = 24;
const POOL_SIZE = 25;
const LOCAL_QUEUE = 500;

export const settings: Setting[] = [
  {
    name: 'concurrentJobs, maxPoolSize',
    value: `${CONCURRENT_JOBS}, ${POOL_SIZE}`,
    why: 'those of its own performance page',
  },
  {
    name: 'localQueue.size',
    value: `${LOCAL_QUEUE}; none where latency is measured`,
    why: 'jobs are fetched in batches; of its own performance page, which says that it can cost latency',
  },
  {
    name: 'completeJobBatchDelay, failJobBatchDelay',
    value: '0, 0',
    why: 'completions that come together are one statement; of its own performance page',
  },
  {
    name: 'addJobs',
    value: 'for bulk',
    why: 'its function for many jobs in one statement',
  },
];

const silent = new Logger(() => () => undefined);

class GraphileWorker implements Subject {
  private pool!: pg.Pool;
  private utils!: WorkerUtils;
  private probe!: Probe;
  private runner?: Runner;

  constructor(private readonly options: SubjectOptions) {}

  async open({ postgres }: Place): Promise<void> {
    this.pool = new pg.Pool({ connectionString: postgres, max: POOL_SIZE });
    this.utils = await makeWorkerUtils({ pgPool: this.pool, logger: silent });
    await this.utils.migrate();
    this.probe = await Probe.open(postgres);
  }

  async enqueue(work: Work, jobs: Job[]): Promise<void> {
    await this.utils.addJobs(jobs.map((payload) => ({ identifier: work, payload })));
  }

  async invoke(work: Work, job: Job): Promise<void> {
    await this.utils.addJob(work, job);
  }

  async start(handle: Handle): Promise<void> {
    this.runner = await run({
      pgPool: this.pool,
      logger: silent,
      noHandleSignals: true,
      taskList: { noop: (payload) => handle(payload as Job) },
      preset: {
        worker: {
          concurrentJobs: this.options.concurrency ?? CONCURRENT_JOBS,
          ...(this.options.tuned !== 'latency' && { localQueue: { size: LOCAL_QUEUE } }),
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
    });
  }

  async stop(): Promise<void> {
    await this.runner?.stop();
    this.runner = undefined;
  }

  async accepted(): Promise<number> {
    return await this.probe.ask<number>('select count(*)::int from graphile_worker._private_jobs');
  }

  async isDrained(): Promise<boolean> {
    return await this.probe.ask<boolean>(
      'select not exists (select from graphile_worker._private_jobs)',
    );
  }

  async close(): Promise<void> {
    await this.stop();
    await this.utils.release();
    await this.probe.close();
    await this.pool.end();
  }
}

export const create = (options: SubjectOptions): Subject => new GraphileWorker(options);
