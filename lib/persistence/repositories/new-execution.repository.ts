import type { CallerTransaction } from '../caller-transaction.js';
import type { Database } from '../database.js';
import { enqueue, enqueueCode } from '../sql/enqueue.js';
import { withinCode } from '../sql/enqueue-within.js';
import { isLocked } from '../statement.js';
import { tasksOf, type Claimant, type ClaimRow } from './execution.repository.js';
import type { TaskDefaults } from './task.repository.js';

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
  /** JSON text. */
  headers?: string;
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
    /** Fails at once where an id of these is in somebody's open transaction. */
    givesWay = false,
  ): Promise<EnqueueReply> {
    const { statement, schema } = this.database;
    const served = claimant && tasksOf(claimant);
    const values = [
      ...itemColumns(items),
      channels,
      claimant?.workerId,
      claimant?.token,
      served?.map((task) => task.taskId),
      served?.map((task) => task.queueId),
      claimant?.queues.map((queue) => queue.queueId),
      claimant?.queues.map((queue) => queue.slots),
    ];
    const isFresh = items.every((item) => item.fresh);
    const isPatient = this.database.patience(patienceMs);
    const rows = await statement.persist<EnqueuedRow>(
      enqueue.call(schema),
      [...values, isFresh],
      (failure) => isPatient() && !(givesWay && isLocked(failure)),
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

  /** Accepts executions of one task in a transaction of the caller's, whose commit wakes the listeners of the channel.
   *  @param known its settings, where that transaction may not see them
   *  @returns a report an item; `unknownTask` is one for all of them: nothing was written
   *  @throws NotInTransactionError, TransactionAbortedError */
  async enqueueWithin(
    transaction: CallerTransaction,
    items: NewExecution[],
    channel: string | undefined,
    known?: TaskDefaults,
  ): Promise<EnqueueReport[]> {
    const rows = await transaction.enqueue<{ ordinal: number | null; code: number }>(
      this.database.schema,
      [
        ...itemColumns(items),
        channel === undefined ? [] : [channel],
        items.every((item) => item.fresh),
        known && [known.priority],
        known && [known.expireAfterMs],
        known && [known.deadlineMs],
      ],
    );
    if (rows.some(({ code }) => code === withinCode.ended)) throw transaction.ended();
    if (rows.some(({ code }) => code === withinCode.unknownTask))
      return items.map(() => 'unknownTask');
    const reports = items.map((): EnqueueReport => 'created');
    for (const { ordinal, code } of rows) reports[ordinal! - 1] = enqueueReports[code]!;
    return reports;
  }
}

/** As both functions take them. */
function itemColumns(items: NewExecution[]): unknown[] {
  const tasks = [...new Set(items.map((item) => item.taskId))];
  const special = items.filter(hasOptions);
  return [
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
    given(items, special, (item) => item.headers),
  ];
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
    const { taskId, payload, headers } = byId.get(row.id)!;
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
      headers,
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
    item.deadline !== undefined ||
    item.headers !== undefined
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
