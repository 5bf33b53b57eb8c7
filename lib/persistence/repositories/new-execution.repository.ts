import type { Database } from '../database.js';
import { enqueue, enqueueCode } from '../sql/enqueue.js';
import { tasksOf, type Claimant, type ClaimRow } from './execution.repository.js';

export interface NewExecution {
  id: string;
  taskId: number;
  priority?: number;
  runAt?: Date;
  delayMs?: number;
  /** Both from the time at which it may start. */
  expireAfterMs?: number;
  deadlineMs?: number;
  deadline?: Date;
  /** JSON text. */
  payload: string;
}

/** `otherTask`: the id belongs to another task. `unknownTask`: the task's row is gone, its id has to be asked for again. */
export type EnqueueReport = 'created' | 'existing' | 'otherTask' | 'unknownTask';

export interface EnqueueReply {
  /** For each item. */
  reports: EnqueueReport[];
  /** Claimed already, in the order in which they are to start. */
  executions: ClaimRow[];
}

interface EnqueuedRow {
  ordinal: number;
  code: number;
  id: string;
  priority: number;
  claimed_at: number;
  deadline_in_ms: number | null;
}

const enqueueReports: Record<number, EnqueueReport> = {
  [enqueueCode.existing]: 'existing',
  [enqueueCode.otherTask]: 'otherTask',
  [enqueueCode.unknownTask]: 'unknownTask',
};

/** Where executions begin. */
export class NewExecutionRepository {
  constructor(private readonly database: Database) {}

  /** Accepts executions, and wakes the listeners of these channels when they are committed, unless all of them start at once. */
  async enqueue(
    items: NewExecution[],
    channels: string[],
    patienceMs: number,
    claimant?: Claimant,
  ): Promise<EnqueueReply> {
    const { statement, schema } = this.database;
    const tasks = [...new Set(items.map((item) => item.taskId))];
    const served = claimant && tasksOf(claimant);
    const rows = await statement.persist<EnqueuedRow>(
      enqueue.call(schema),
      [
        items.map((item) => item.id),
        tasks,
        tasks.length === 1 ? null : items.map((item) => tasks.indexOf(item.taskId) + 1),
        given(items, (item) => item.priority),
        given(items, (item) => item.runAt),
        given(items, (item) => item.delayMs),
        given(items, (item) => item.expireAfterMs),
        given(items, (item) => item.deadlineMs),
        given(items, (item) => item.deadline),
        items.map((item) => item.payload),
        channels,
        claimant?.workerId,
        claimant?.token,
        served?.map((task) => task.taskId),
        served?.map((task) => task.queueId),
        claimant?.queues.map((queue) => queue.queueId),
        claimant?.queues.map((queue) => queue.slots),
      ],
      this.database.patience(patienceMs),
    );
    const reports = items.map((): EnqueueReport => 'created');
    const started: EnqueuedRow[] = [];
    for (const row of rows) {
      if (row.code === enqueueCode.started) started.push(row);
      else reports[row.ordinal - 1] = enqueueReports[row.code]!;
    }
    return { reports, executions: begunRows(started, items, claimant) };
  }
}

function begunRows(
  rows: EnqueuedRow[],
  items: NewExecution[],
  claimant: Claimant | undefined,
): ClaimRow[] {
  if (rows.length === 0) return [];
  // the first of several with one id is the one that was stored
  const byId = new Map(items.toReversed().map((item) => [item.id, item]));
  return rows.map((row) => {
    const { taskId, payload } = byId.get(row.id)!;
    return {
      id: row.id,
      token: claimant!.token,
      taskId,
      failures: 0,
      losses: 0,
      claims: 1,
      alone: false,
      priority: row.priority,
      claimedAt: row.claimed_at,
      deadlineInMs: row.deadline_in_ms ?? undefined,
      payload,
      records: [],
    };
  });
}

/** One for each item; null where none has it: an array of nulls would be read element by element. */
function given<T>(
  items: NewExecution[],
  of: (item: NewExecution) => T | undefined,
): (T | null)[] | null {
  return items.every((item) => of(item) === undefined)
    ? null
    : items.map((item) => of(item) ?? null);
}
