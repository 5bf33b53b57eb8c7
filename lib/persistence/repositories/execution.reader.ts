import { Brackets, Not, type SelectQueryBuilder } from 'typeorm';
import { decodeParsed } from '../../execution/codec.js';
import {
  finalStatuses,
  isFinal,
  statusCode,
  statusName,
  type ExecutionStatus,
  type FinalStatus,
} from '../../execution/execution-status.js';
import { headersOf } from '../../execution/headers.js';
import type { SerializedError } from '../../execution/serialized-error.js';
import { recordKind, recordKindName, recordStatusName } from '../../execution/step-record.js';
import type {
  ExecutionFilter,
  ExecutionPage,
  ExecutionView,
  QueueView,
  StepView,
} from '../../execution/execution-view.js';
import type { Database } from '../database.js';
import { CancellationEntity } from '../entities/cancellation.entity.js';
import { ExecutionEntity } from '../entities/execution.entity.js';
import { FailureEntity } from '../entities/failure.entity.js';
import { OutcomeEntity } from '../entities/outcome.entity.js';
import { RerunEntity } from '../entities/rerun.entity.js';
import { RunEntity } from '../entities/run.entity.js';
import { StepEntity } from '../entities/step.entity.js';

const outsideCodes = ['WORKER_LOST', 'CONDUCTOR_EXPIRED', 'CONDUCTOR_DEADLINE'];

const PAGE = 50;
const LARGEST_PAGE = 1_000;

/** How an execution ended, for those who wait for it. */
export interface Ending {
  id: string;
  status: FinalStatus;
  result: unknown;
  error?: SerializedError;
  /** Its result or error was removed by its task's retention. */
  pruned: boolean;
}

/** Reading, through TypeORM's repositories. */
export class ExecutionReader {
  constructor(private readonly database: Database) {}

  async get(id: string): Promise<ExecutionView | undefined> {
    const rows = await this.read('get', () =>
      this.whole().where('execution.id = :id', { id }).getMany(),
    );
    const [found] = await this.views(rows);
    return found;
  }

  /** Newest first, by id. */
  async list(filter: ExecutionFilter): Promise<ExecutionPage> {
    const limit = Math.min(Math.max(1, filter.limit ?? PAGE), LARGEST_PAGE);
    const query = this.whole()
      .orderBy('execution.id', 'DESC')
      .take(limit + 1);
    if (filter.task !== undefined) query.andWhere('task.name = :task', { task: filter.task });
    if (filter.queue !== undefined) query.andWhere('queue.name = :queue', { queue: filter.queue });
    if (filter.since !== undefined)
      query.andWhere('execution.created_at >= :since', { since: filter.since });
    if (filter.cursor !== undefined)
      query.andWhere('execution.id < :cursor', { cursor: filter.cursor });
    if (filter.retryOf !== undefined)
      query.andWhere('rerun.source_id = :retryOf and rerun.from_step is null', filter);
    if (filter.forkOf !== undefined)
      query.andWhere('rerun.source_id = :forkOf and rerun.from_step is not null', filter);
    if (filter.status !== undefined) whereStatus(query, [filter.status].flat());
    const rows = await this.read('list', () => query.getMany());
    const items = await this.views(rows.slice(0, limit));
    return { items, ...(rows.length > limit && { nextCursor: items.at(-1)!.id }) };
  }

  async steps(id: string): Promise<StepView[]> {
    const rows = await this.read('steps', () =>
      this.database.repository(StepEntity).find({
        where: { executionId: id, kind: Not(recordKind.payload) },
        order: { seq: { direction: 'ASC', nulls: 'LAST' }, name: 'ASC' },
      }),
    );
    return rows.map((row) => {
      const status = recordStatusName(row.status);
      return {
        name: row.name,
        kind: recordKindName(row.kind),
        status,
        ...(status === 'completed' && {
          result: row.kind === recordKind.sleep ? undefined : decodeParsed(row.value),
        }),
        ...(row.value !== null &&
          status !== 'completed' && { error: row.value as SerializedError }),
        ...(row.dueAt !== null && { dueAt: row.dueAt }),
        at: row.recordedAt,
      };
    });
  }

  /** Those of these executions that have ended. */
  async endings(ids: string[]): Promise<Ending[]> {
    const rows = await this.read('result', () =>
      this.database
        .repository(OutcomeEntity)
        .createQueryBuilder('outcome')
        .where('outcome.id = any(:ids)', { ids })
        .getMany(),
    );
    return rows.map((row) => ({
      id: row.id,
      status: statusName(row.status) as FinalStatus,
      result: decodeParsed(row.result),
      ...(row.error !== null && { error: row.error as SerializedError }),
      pruned: row.pruned,
    }));
  }

  /** Those of these ids that were ever accepted. */
  async known(ids: string[]): Promise<Set<string>> {
    const rows = await this.read('result', () =>
      this.database
        .repository(ExecutionEntity)
        .createQueryBuilder('execution')
        .select('execution.id', 'id')
        .where('execution.id = any(:ids)', { ids })
        .getRawMany<{ id: string }>(),
    );
    return new Set(rows.map((row) => row.id));
  }

  /** What waits and runs, a queue each. */
  async queues(): Promise<QueueView[]> {
    const rows = await this.read('queues', () =>
      this.database
        .repository(ExecutionEntity)
        .manager.query<{ name: string; status: number | null; count: string }[]>(
          `select q.name, r.status, count(r.id) as count
           from "${this.database.schema}".queue q
           left join "${this.database.schema}".task t on t.queue_id = q.id
           left join "${this.database.schema}".run r on r.task_id = t.id
           group by q.name, r.status order by q.name`,
        ),
    );
    const queues = new Map<string, QueueView>();
    for (const { name, status, count } of rows) {
      const queue = queues.get(name) ?? { name, pending: 0, running: 0, suspended: 0, blocked: 0 };
      queues.set(name, queue);
      if (status === null) continue;
      const live = statusName(status);
      if (!isFinal(live)) queue[live] = Number(count);
    }
    return [...queues.values()];
  }

  private whole(): SelectQueryBuilder<ExecutionEntity> {
    return this.database
      .repository(ExecutionEntity)
      .createQueryBuilder('execution')
      .innerJoinAndSelect('execution.task', 'task')
      .innerJoinAndSelect('task.queue', 'queue')
      .leftJoinAndMapOne('execution.run', RunEntity, 'run', 'run.id = execution.id')
      .leftJoinAndMapOne('execution.outcome', OutcomeEntity, 'outcome', 'outcome.id = execution.id')
      .leftJoinAndMapOne(
        'execution.cancellation',
        CancellationEntity,
        'cancellation',
        'cancellation.execution_id = execution.id',
      )
      .leftJoinAndMapOne(
        'execution.rerun',
        RerunEntity,
        'rerun',
        'rerun.id = execution.id and rerun.made_at = execution.created_at',
      );
  }

  private async views(rows: ExecutionEntity[]): Promise<ExecutionView[]> {
    const failures = await this.lastFailures(rows);
    return rows.map((execution) => view(execution, failures.get(execution.id)));
  }

  /** While an execution is not finished, the error of its last attempt is what a reader looks for. */
  private async lastFailures(rows: ExecutionEntity[]): Promise<Map<string, SerializedError>> {
    const ids = rows.filter(hasFailed).map(({ id }) => id);
    if (ids.length === 0) return new Map();
    const failures = await this.read('failures', () =>
      this.database
        .repository(FailureEntity)
        .createQueryBuilder('failure')
        .distinctOn(['failure.execution_id'])
        .where('failure.execution_id = any(:ids)', { ids })
        .orderBy({ 'failure.execution_id': 'ASC', 'failure.claim': 'DESC' })
        .getMany(),
    );
    return new Map(
      failures.map(({ executionId, error }) => [executionId, error as SerializedError]),
    );
  }

  private async read<T>(what: string, query: () => Promise<T>): Promise<T> {
    try {
      return await query();
    } catch (error) {
      throw this.database.visible(error, what);
    }
  }
}

/** Its process vanished, or its time was over while it waited. Of a handler that ran out of time the settle counts the failure. */
function endedFromOutside(error: SerializedError | null | undefined): boolean {
  return error?.stack === undefined && outsideCodes.includes(error?.code ?? '');
}

function hasFailed({ run }: ExecutionEntity): boolean {
  return !!run && (run.failures > 0 || run.losses > 0 || run.status === statusCode.blocked);
}

function whereStatus(query: SelectQueryBuilder<ExecutionEntity>, wanted: ExecutionStatus[]): void {
  const codes = (final: boolean) =>
    wanted
      .filter((status) => (finalStatuses as readonly ExecutionStatus[]).includes(status) === final)
      .map((status) => statusCode[status]);
  query.andWhere(
    new Brackets((either) =>
      either
        .where('run.status = any(:live)', { live: codes(false) })
        .orWhere('outcome.status = any(:final)', { final: codes(true) }),
    ),
  );
}

function forkedFrom({
  sourceId,
  fromStep,
}: RerunEntity): Pick<ExecutionView, 'forkOf' | 'fromStep'> {
  return { forkOf: sourceId, fromStep: fromStep! };
}

function view(execution: ExecutionEntity, lastFailure: SerializedError | undefined): ExecutionView {
  const { run, outcome, cancellation, rerun } = execution;
  const state = (outcome ?? run)!;
  const status = statusName(state.status);
  const pruned = outcome?.pruned === true;
  const ending = outcome?.error as SerializedError | null | undefined;
  const cancelled = status === 'cancelled';
  const error = outcome ? (cancelled ? undefined : ending) : lastFailure;
  const cancelReason = cancelled ? ending?.message : (cancellation?.reason ?? undefined);
  // one that did not run was cancelled at once
  const cancelRequestedAt =
    cancellation?.requestedAt ?? (cancelled ? outcome!.finishedAt : undefined);
  return {
    id: execution.id,
    task: execution.task.name,
    queue: execution.task.queue.name,
    status,
    // a failed one has its last attempt among its failures, unless it was ended from outside
    attempt: Math.max(
      1,
      state.failures + (status === 'failed' && !endedFromOutside(error) ? 0 : 1),
    ),
    losses: state.losses,
    priority: execution.priority,
    createdAt: execution.createdAt,
    payload: pruned ? undefined : decodeParsed(execution.payload),
    headers: headersOf(execution.headers),
    ...(state.startedAt !== null && { startedAt: state.startedAt }),
    ...(run && { runAt: run.runAt }),
    ...(outcome && { finishedAt: outcome.finishedAt }),
    ...(status === 'completed' && !pruned && { result: decodeParsed(outcome!.result) }),
    ...(error && { error }),
    ...(cancelRequestedAt && { cancelRequestedAt }),
    ...(cancelReason !== undefined && { cancelReason }),
    ...(pruned && { pruned }),
    ...(rerun && (rerun.fromStep === null ? { retryOf: rerun.sourceId } : forkedFrom(rerun))),
  };
}
