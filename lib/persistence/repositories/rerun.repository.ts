import type { FinalStatus } from '../../execution/execution-status.js';
import { statusCode, statusName, type ExecutionStatus } from '../../execution/execution-status.js';
import type { Database } from '../database.js';
import { rerun, rerunCode, retryable } from '../sql/rerun.js';

export interface RerunItem {
  /** Of the new execution. */
  id: string;
  sourceId: string;
}

/** Where nothing was made, why; see rerunCode. */
export interface RerunReport {
  type: keyof typeof rerunCode;
  /** Of the source; undefined where there is none. */
  status?: ExecutionStatus;
  task: string;
  queueId: number;
  /** `noStep`: names that are recorded. */
  recorded: string[];
}

export interface RetryableFilter {
  statuses: FinalStatus[];
  queue?: string;
  task?: string;
  since?: Date;
}

/** An ended execution, where it stands in the order of such a search, and how long that search goes. */
export interface Retryable {
  id: string;
  task_id: number;
  status: number;
  finished_at: Date;
  records: number;
  until: Date;
}

interface RerunRow {
  code: number;
  status: number | null;
  task: string;
  queue_id: number;
  recorded: string[] | null;
}

const types = Object.keys(rerunCode) as RerunReport['type'][];

/** Where executions begin that go on where others ended. */
export class RerunRepository {
  constructor(private readonly database: Database) {}

  /** @param fromStep of a fork
   *  @param once only of what no new one was made before
   *  @returns a report for each item */
  async rerun(
    items: RerunItem[],
    { fromStep, once = false }: { fromStep?: string; once?: boolean },
    patienceMs: number,
  ): Promise<RerunReport[]> {
    const rows = await this.database.statement.persist<RerunRow>(
      rerun.call(this.database.schema),
      [items.map(({ id }) => id), items.map(({ sourceId }) => sourceId), fromStep ?? null, once],
      this.database.patience(patienceMs),
    );
    return rows.map(({ code, status, task, queue_id, recorded }) => ({
      type: types[code]!,
      ...(status !== null && { status: statusName(status) }),
      task,
      queueId: queue_id,
      recorded: recorded ?? [],
    }));
  }

  /** @param after the last one of the search before */
  async retryable(
    { statuses, queue, task, since }: RetryableFilter,
    after: Retryable | undefined,
    limit: number,
    patienceMs: number,
  ): Promise<Retryable[]> {
    return await this.database.statement.persist<Retryable>(
      retryable.call(this.database.schema),
      [
        statuses.map((status) => statusCode[status]),
        queue ?? null,
        task ?? null,
        since ?? null,
        after?.until ?? null,
        after?.task_id ?? null,
        after?.status ?? null,
        after?.finished_at ?? null,
        limit,
      ],
      this.database.patience(patienceMs),
    );
  }
}
