import type { Database } from '../database.js';
import { enqueue, enqueueCode } from '../sql/enqueue.js';
import { tasksOf, type Claimant, type ClaimRow } from './execution.repository.js';

export interface NewExecution {
  id: string;
  /** The id was made for this, so nobody else has it. */
  fresh?: boolean;
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
    const special = items.filter(hasOptions);
    const values = [
      uuidArray(items.map((item) => item.id)),
      tasks,
      tasks.length === 1 ? null : items.map((item) => tasks.indexOf(item.taskId) + 1),
      given(items, special, (item) => item.priority),
      given(items, special, (item) => item.runAt),
      given(items, special, (item) => item.delayMs),
      given(items, special, (item) => item.expireAfterMs),
      given(items, special, (item) => item.deadlineMs),
      given(items, special, (item) => item.deadline),
      items.map((item) => item.payload),
      channels,
      claimant?.workerId,
      claimant?.token,
      served?.map((task) => task.taskId),
      served?.map((task) => task.queueId),
      claimant?.queues.map((queue) => queue.queueId),
      claimant?.queues.map((queue) => queue.slots),
    ];
    const isFresh = items.every((item) => item.fresh);
    const rows = await statement.persist<EnqueuedRow>(
      enqueue.call(schema),
      [...values, isFresh],
      this.database.patience(patienceMs),
      // the first may have been applied, and its reply lost
      [...values, false],
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

function hasOptions(item: NewExecution): boolean {
  return (
    item.priority !== undefined ||
    item.runAt !== undefined ||
    item.delayMs !== undefined ||
    item.expireAfterMs !== undefined ||
    item.deadlineMs !== undefined ||
    item.deadline !== undefined
  );
}

/** One for each item; null where none has it: an array of nulls would be read element by element.
 *  @param special those that have any option */
function given<T>(
  items: NewExecution[],
  special: NewExecution[],
  of: (item: NewExecution) => T | undefined,
): (T | null)[] | null {
  return special.some((item) => of(item) !== undefined)
    ? items.map((item) => of(item) ?? null)
    : null;
}

/** As Postgres reads it. The driver would look for what has to be quoted in each, half a microsecond an id. */
function uuidArray(ids: string[]): string {
  return `{${ids.join(',')}}`;
}
