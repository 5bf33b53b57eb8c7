import type { ClaimedExecution } from '../../execution/claimed-execution.js';
import {
  outcomeCode,
  reportCode,
  type SettledOutcome,
  type WriteReport,
} from '../../execution/outcome.js';
import type { RecordWrite } from '../../execution/step-record.js';
import type { Database } from '../database.js';
import { offerBlocked, resume } from '../sql/blocked.js';
import { claim, claimRow, startAlone } from '../sql/claim.js';
import { enqueue, enqueueCode } from '../sql/enqueue.js';
import { endOverdue } from '../sql/overdue.js';
import { settle } from '../sql/settle.js';
import { suspend, suspendCode } from '../sql/suspend.js';
import { parseMemo } from './memo.js';
import { recordColumns } from './record-columns.js';
import type { Fence } from './worker.repository.js';

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

/** Who claims, and how many of which. */
export interface Claimant {
  workerId: number;
  token: string;
  /** `after`: where the claim before this came to; what that one passed is not looked at. */
  queues: { queueId: number; slots: number; taskIds: number[]; after?: string }[];
}

/** Slots of a worker of this process, kept free for what is being enqueued, so that it is claimed by being inserted. */
export interface Reservation extends Claimant {
  /** Has to be called once, with what was claimed: it begins, and the other slots are free again. */
  end(executions: ClaimRow[]): void;
}

export interface EnqueueReply {
  /** For each item. */
  reports: EnqueueReport[];
  /** Claimed already, in the order in which they are to start. */
  executions: ClaimRow[];
}

export interface ClaimRequest extends Claimant {
  /** How long an execution that runs alone must have been due. */
  alonePatienceMs: number;
  /** Whether to look for blocked executions that are offered to this worker. */
  offers?: boolean;
}

export interface ClaimReply {
  /** In the order in which they are to start. */
  executions: ClaimRow[];
  /** Until something else can be claimed in the queues that were not filled; undefined: nothing waits. */
  dueInMs?: number;
  /** Where it came to, by queue, in those that it filled. */
  cursors: Map<number, string>;
  /** Some were passed over because their time is over: `endOverdue` ends them. */
  overdue: boolean;
  /** This worker was reaped, or its code is too old for the schema: it claimed nothing. */
  refused: boolean;
}

/** A claimed execution as the database knows it: by its task's id. */
export type ClaimRow = Omit<ClaimedExecution, 'task'> & { taskId: number };

export interface SettleItem {
  id: string;
  token: string;
  outcome: SettledOutcome;
  /** Whether a step's error or a step between two tries may be recorded, which a failed attempt forgets. */
  forget: boolean;
}

export interface SuspendItem {
  id: string;
  token: string;
  /** Every wait that the handler is asking for, and what it has not saved yet. */
  records: RecordWrite[];
}

/** `decided`: it goes on running, these waits are over. */
export type SuspendReport =
  { type: 'parked' } | { type: 'lost' } | { type: 'busy' } | { type: 'decided'; names: string[] };

interface EnqueuedRow {
  ordinal: number;
  code: number;
  id: string;
  priority: number;
  claimed_at: number;
  deadline_in_ms: number | null;
}

interface ClaimedRow {
  kind: number;
  id: string;
  task_id: number;
  failures: number;
  losses: number;
  claims: number;
  alone: boolean;
  priority: number;
  claimed_at: number;
  deadline_in_ms: number | null;
  expires_in_ms: number | null;
  /** Its place in the order of the claim. */
  place: number;
  payload: string;
  memo: string | null;
  due_in_ms: number | null;
}

const enqueueReports: Record<number, EnqueueReport> = {
  [enqueueCode.existing]: 'existing',
  [enqueueCode.otherTask]: 'otherTask',
  [enqueueCode.unknownTask]: 'unknownTask',
};

export const writeReports: Record<number, WriteReport> = {
  [reportCode.lost]: 'lost',
  [reportCode.duplicate]: 'duplicate',
  [reportCode.busy]: 'busy',
};

/** Rows of one statement that ends what is overdue, so that it stays short. */
const OVERDUE_LIMIT = 500;

/** What changes executions, in sets of plain values. */
export class ExecutionRepository {
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

  /** Sent once: a claim that is sent again would claim twice. Whatever a lost reply claimed is found by the heartbeat. */
  async claim(request: ClaimRequest): Promise<ClaimReply> {
    const tasks = tasksOf(request);
    const rows = await this.database.statement.run<ClaimedRow>(claim.call(this.database.schema), [
      request.workerId,
      request.token,
      tasks.map((task) => task.taskId),
      tasks.map((task) => task.queueId),
      request.queues.map((queue) => queue.queueId),
      request.queues.map((queue) => queue.slots),
      request.alonePatienceMs,
      request.offers ?? false,
      request.queues.map((queue) => queue.after ?? null),
    ]);
    const claimed = rows
      .filter((row) => row.kind === claimRow.claimed)
      .sort((a, b) => a.place - b.place);
    return {
      executions: claimed.map((row) => ({
        id: row.id,
        token: request.token,
        taskId: row.task_id,
        failures: row.failures,
        losses: row.losses,
        claims: row.claims,
        alone: row.alone,
        priority: row.priority,
        claimedAt: row.claimed_at,
        deadlineInMs: row.deadline_in_ms ?? undefined,
        expiresInMs: row.expires_in_ms ?? undefined,
        payload: row.payload,
        records: parseMemo(row.memo),
      })),
      dueInMs: rows.find((row) => row.kind === claimRow.due)?.due_in_ms ?? undefined,
      cursors: new Map(
        rows.filter((row) => row.kind === claimRow.cursor).map((row) => [row.task_id, row.payload]),
      ),
      overdue: rows.some((row) => row.kind === claimRow.overdue),
      refused: rows.some((row) => row.kind === claimRow.refused),
    };
  }

  /** @returns whether this token still owns it. */
  async startAlone(id: string, token: string, goOn: () => boolean): Promise<boolean> {
    const rows = await this.database.statement.persist(
      startAlone.call(this.database.schema),
      [id, token],
      goOn,
    );
    return rows.length > 0;
  }

  /** Ends what waits although its time is over, a bounded number. @returns whether there may be more */
  async endOverdue(): Promise<boolean> {
    const [row] = await this.database.statement.run<{ end_overdue: number }>(
      endOverdue.call(this.database.schema),
      [OVERDUE_LIMIT],
    );
    return row!.end_overdue === OVERDUE_LIMIT;
  }

  /** Offers what is blocked of these tasks at once, for a worker that boots. */
  async offerBlocked(taskIds: number[], patienceMs: number): Promise<void> {
    await this.database.statement.persist(
      offerBlocked.call(this.database.schema),
      [taskIds],
      this.database.patience(patienceMs),
    );
  }

  /** Makes blocked executions pending again. @returns their ids and queues */
  async resume(
    which: { ids?: string[]; queue?: string; task?: string },
    limit: number,
    patienceMs: number,
  ): Promise<{ id: string; queueId: number }[]> {
    const rows = await this.database.statement.persist<{ id: string; queue_id: number }>(
      resume.call(this.database.schema),
      [which.ids ?? null, which.queue ?? null, which.task ?? null, limit],
      this.database.patience(patienceMs),
    );
    return rows.map(({ id, queue_id }) => ({ id, queueId: queue_id }));
  }

  async settle(items: SettleItem[], goOn: () => boolean): Promise<WriteReport[]> {
    const rows = await this.database.statement.persist<{ ordinal: number; report: number }>(
      settle.call(this.database.schema),
      [
        items.map((item) => item.id),
        items.map((item) => item.token),
        items.map((item) => outcomeCode[item.outcome.type]),
        items.map((item) => settledValue(item.outcome)),
        items.map((item) =>
          item.outcome.type === 'retry' ? Math.ceil(item.outcome.delayMs) : null,
        ),
        items.map((item) => item.forget),
      ],
      goOn,
    );
    const reports = items.map((): WriteReport => 'applied');
    for (const { ordinal, report } of rows) reports[ordinal - 1] = writeReports[report]!;
    return reports;
  }

  async suspend(items: SuspendItem[], goOn: () => boolean): Promise<SuspendReport[]> {
    const rows = await this.database.statement.persist<{
      id: string;
      token: string;
      code: number;
      name: string;
    }>(suspend.call(this.database.schema), recordColumns(items), goOn);
    const key = (row: Fence) => `${row.id} ${row.token}`;
    const reports = new Map(items.map((item) => [key(item), { type: 'lost' } as SuspendReport]));
    for (const row of rows) {
      const before = reports.get(key(row));
      if (row.code === suspendCode.parked) reports.set(key(row), { type: 'parked' });
      else if (row.code === suspendCode.busy) reports.set(key(row), { type: 'busy' });
      else if (before?.type === 'decided') before.names.push(row.name);
      else reports.set(key(row), { type: 'decided', names: [row.name] });
    }
    return items.map((item) => reports.get(key(item))!);
  }
}

function tasksOf({ queues }: Claimant): { taskId: number; queueId: number }[] {
  return queues.flatMap(({ queueId, taskIds }) => taskIds.map((taskId) => ({ taskId, queueId })));
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

function settledValue(outcome: SettledOutcome): string | null {
  switch (outcome.type) {
    case 'completed':
      return outcome.result;
    case 'failed':
    case 'retry':
    case 'blocked':
      return JSON.stringify(outcome.error);
    case 'released':
    case 'unbegun':
      return null;
  }
}
