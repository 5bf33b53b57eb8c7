import { v4 as randomUuid, v7 as orderedUuid } from 'uuid';
import { systemClock } from '../../lib/common/clock.js';
import type { RetentionPolicy } from '../../lib/execution/retention-policy.js';
import type { RecordWrite } from '../../lib/execution/step-record.js';
import { Database } from '../../lib/persistence/database.js';
import { BlockedRepository } from '../../lib/persistence/repositories/blocked.repository.js';
import { CancelRepository } from '../../lib/persistence/repositories/cancel.repository.js';
import {
  ExecutionRepository,
  type ClaimReply,
} from '../../lib/persistence/repositories/execution.repository.js';
import { NewExecutionRepository } from '../../lib/persistence/repositories/new-execution.repository.js';
import { RerunRepository } from '../../lib/persistence/repositories/rerun.repository.js';
import { RetentionRepository } from '../../lib/persistence/repositories/retention.repository.js';
import { StepRepository } from '../../lib/persistence/repositories/step.repository.js';
import {
  TaskRepository,
  type TaskIds,
} from '../../lib/persistence/repositories/task.repository.js';
import {
  WorkerRepository,
  type Fence,
} from '../../lib/persistence/repositories/worker.repository.js';
import { movableClock } from './movable-clock.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

const PATIENCE_MS = 5_000;
const LEASE_MS = 30_000;

/** Shorter than any test's server has been up: nobody is reaped within a lease of its start. */
export const SHORT_LEASE_MS = 200;

/** The statements on a database of their own, without any worker that would interfere. */
export class Statements {
  private constructor(
    readonly test: TestDatabase,
    readonly database: Database,
    readonly clock: ReturnType<typeof movableClock>,
  ) {}

  readonly newExecutions = new NewExecutionRepository(this.database);
  readonly executions = new ExecutionRepository(this.database);
  readonly blocked = new BlockedRepository(this.database);
  readonly cancels = new CancelRepository(this.database);
  readonly reruns = new RerunRepository(this.database);
  readonly steps = new StepRepository(this.database);
  readonly workers = new WorkerRepository(this.database);
  readonly tasks = new TaskRepository(this.database);
  readonly retention = new RetentionRepository(this.database);

  static async open(): Promise<Statements> {
    const test = await createTestDatabase();
    const database = new Database(
      { poolSize: 8, schema: 'conductor', migrations: 'auto' },
      systemClock,
    );
    await database.open({ url: test.url });
    const clock = movableClock(test);
    await clock.install();
    return new Statements(test, database, clock);
  }

  async close(): Promise<void> {
    await this.database.close();
    await this.test.drop();
  }

  /** Forgets the workers, and what is not finished. */
  async clear(): Promise<void> {
    await this.test.query('delete from conductor.worker');
    await this.test.query('delete from conductor.run');
  }

  async task(
    name: string,
    settings: {
      maxLosses?: number | false;
      priority?: number;
      queue?: string;
      retention?: RetentionPolicy;
    } = {},
  ): Promise<TaskIds> {
    const [ids] = await this.tasks.resolve(
      [{ queue: settings.queue ?? 'default', name }],
      PATIENCE_MS,
    );
    const { maxLosses = 3, priority = 0, retention = {} } = settings;
    await this.tasks.register(
      [
        {
          taskId: ids!.taskId,
          priority,
          maxLosses: maxLosses === false ? undefined : maxLosses,
          retention,
          version: 0,
        },
      ],
      PATIENCE_MS,
    );
    return ids!;
  }

  worker(leaseMs = LEASE_MS): Promise<number> {
    return this.workers.register('test', process.pid, leaseMs, () => false);
  }

  async enqueue(
    task: TaskIds,
    count = 1,
    options: { priority?: number; delayMs?: number; expireAfterMs?: number } = {},
  ): Promise<string[]> {
    const items = Array.from({ length: count }, (_, i) => ({
      id: orderedUuid(),
      taskId: task.taskId,
      payload: String(i),
      ...options,
    }));
    await this.newExecutions.enqueue(items, [], PATIENCE_MS);
    return items.map(({ id }) => id);
  }

  /** @param after where the claim before came to, in every queue */
  claim(
    workerId: number,
    tasks: TaskIds[],
    slots = 100,
    alonePatienceMs = 0,
    after?: string,
  ): Promise<ClaimReply> {
    const queues = [...new Set(tasks.map(({ queueId }) => queueId))];
    return this.executions.claim({
      workerId,
      token: randomUuid(),
      alonePatienceMs,
      queues: queues.map((queueId) => ({
        queueId,
        slots,
        taskIds: tasks.filter((task) => task.queueId === queueId).map(({ taskId }) => taskId),
        after,
      })),
    });
  }

  /** A claim that also asks for blocked executions. */
  claimOffers(workerId: number, task: TaskIds): Promise<ClaimReply> {
    return this.executions.claim({
      workerId,
      token: randomUuid(),
      alonePatienceMs: 0,
      offers: true,
      queues: [{ queueId: task.queueId, slots: 100, taskIds: [task.taskId] }],
    });
  }

  async claimOne(workerId: number, task: TaskIds): Promise<Fence> {
    const { executions } = await this.claim(workerId, [task], 1);
    const { id, token } = executions[0]!;
    return { id, token };
  }

  settle(
    fences: Fence[],
    outcome: Parameters<ExecutionRepository['settle']>[0][number]['outcome'],
    forget = false,
    wasBusy = false,
  ) {
    return this.executions.settle(
      fences.map(({ id, token }) => ({ id, token, outcome, forget, wasBusy })),
      () => false,
    );
  }

  save(fence: Fence, records: RecordWrite[]) {
    return this.steps.save([{ ...fence, records }], () => false);
  }

  suspend(fence: Fence, records: RecordWrite[]) {
    return this.executions.suspend([{ ...fence, records }], () => false);
  }

  /** What a cancel is answered. */
  async cancel(id: string, reason?: string, token = randomUuid()) {
    return (await this.cancels.cancel({ id, token, reason }, PATIENCE_MS)).answer;
  }

  /** The lease of a worker lapses, by the test's clock, while another one goes on renewing its own. */
  async lapse(survivor: number, leaseMs = LEASE_MS): Promise<void> {
    const beats = 8;
    for (let i = 0; i <= beats; i += 1) {
      await this.workers.beat(survivor, [], []);
      if (i < beats) await this.clock.advance(Math.ceil(leaseMs / 6));
    }
  }

  async run(id: string): Promise<Record<string, unknown> | undefined> {
    const [row] = await this.test.query(`select * from conductor.run where id = $1`, [id]);
    return row;
  }

  async outcome(id: string): Promise<Record<string, unknown> | undefined> {
    const [row] = await this.test.query(`select * from conductor.outcome where id = $1`, [id]);
    return row;
  }
}

export const completed = (result: unknown = 1) =>
  ({ type: 'completed', result: JSON.stringify(result) }) as const;
export const failure = { name: 'Error', message: 'no' };

export const record = (name: string, rest: Partial<RecordWrite> = {}): RecordWrite => ({
  name,
  kind: 'step',
  status: 'completed',
  alone: true,
  tries: 0,
  seq: 1,
  value: '1',
  ...rest,
});

export const openWait = (name: string, dueInMs: number): RecordWrite =>
  record(name, { kind: 'sleep', status: 'open', seq: undefined, value: undefined, dueInMs });
