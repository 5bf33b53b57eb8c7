import type { ClaimedExecution } from '../../execution/claimed-execution.js';
import {
  outcomeCode,
  reportCode,
  type SettledOutcome,
  type WriteReport,
} from '../../execution/outcome.js';
import type { RecordWrite } from '../../execution/step-record.js';
import type { Database } from '../database.js';
import { claim, claimRow, startAlone } from '../sql/claim.js';
import { endOverdue } from '../sql/overdue.js';
import { settle } from '../sql/settle.js';
import { suspend, suspendCode } from '../sql/suspend.js';
import { parseMemo } from './memo.js';
import { recordColumns } from './record-columns.js';
import type { Fence } from './worker.repository.js';

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
  /** Somebody else had its row locked: this time it is not waited for. */
  wasBusy?: boolean;
}

export interface SuspendItem {
  id: string;
  token: string;
  /** Every wait that the handler is asking for, and what it has not saved yet. */
  records: RecordWrite[];
}

/** `decided`: it goes on running, these waits are over. `cancelled`: it goes on running, and has to end. */
export type SuspendReport =
  | { type: 'parked' }
  | { type: 'lost' }
  | { type: 'busy' }
  | { type: 'decided'; names: string[] }
  | { type: 'cancelled'; reason?: string };

interface ClaimedRow {
  /** Null: a claimed execution. */
  kind: number | null;
  id: string;
  task_id: number;
  /** Its place in the order of the claim. */
  place: number;
  payload: string;
  /** What the fewest have: null where nothing is other than usual. */
  rest: string | null;
  memo: string | null;
}

export const writeReports: Record<number, WriteReport> = {
  [reportCode.lost]: 'lost',
  [reportCode.duplicate]: 'duplicate',
  [reportCode.busy]: 'busy',
};

/** Rows of one statement that ends what is overdue, so that it stays short. */
const OVERDUE_LIMIT = 500;

/** What becomes of accepted executions: claims, and what attempts come to. In sets of plain values. */
export class ExecutionRepository {
  constructor(private readonly database: Database) {}

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
    const claimed = rows.filter((row) => row.kind === null).sort((a, b) => a.place - b.place);
    const told = (kind: number) => rows.find((row) => row.kind === kind);
    const dueInMs = told(claimRow.due)?.payload;
    const claimedAt = Number(told(claimRow.at)?.payload);
    return {
      executions: claimed.map((row) => executionOf(row, request.token, claimedAt)),
      dueInMs: dueInMs === undefined ? undefined : Number(dueInMs),
      cursors: new Map(
        rows.filter((row) => row.kind === claimRow.cursor).map((row) => [row.task_id, row.payload]),
      ),
      overdue: told(claimRow.overdue) !== undefined,
      refused: told(claimRow.refused) !== undefined,
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
        items.some((item) => item.wasBusy),
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
      name: string | null;
    }>(suspend.call(this.database.schema), recordColumns(items), goOn);
    const key = (row: Fence) => `${row.id} ${row.token}`;
    const reports = new Map(items.map((item) => [key(item), { type: 'lost' } as SuspendReport]));
    for (const row of rows) {
      const before = reports.get(key(row));
      if (row.code === suspendCode.parked) reports.set(key(row), { type: 'parked' });
      else if (row.code === suspendCode.busy) reports.set(key(row), { type: 'busy' });
      else if (row.code === suspendCode.cancelled)
        reports.set(key(row), { type: 'cancelled', reason: row.name ?? undefined });
      else if (before?.type === 'decided') before.names.push(row.name!);
      else if (before?.type === 'lost')
        reports.set(key(row), { type: 'decided', names: [row.name!] });
    }
    return items.map((item) => reports.get(key(item))!);
  }
}

/** In the columns of a statement: each task, with its queue. */
type Rest = Pick<
  ClaimRow,
  | 'claims'
  | 'failures'
  | 'losses'
  | 'priority'
  | 'alone'
  | 'deadlineInMs'
  | 'expiresInMs'
  | 'headers'
>;

const USUAL: Rest = { claims: 1, failures: 0, losses: 0, priority: 0, alone: false };

function executionOf(row: ClaimedRow, token: string, claimedAt: number): ClaimRow {
  const rest = row.rest === null ? USUAL : parseRest(row.rest);
  return {
    id: row.id,
    token,
    taskId: row.task_id,
    failures: rest.failures,
    losses: rest.losses,
    claims: rest.claims,
    alone: rest.alone,
    priority: rest.priority,
    claimedAt,
    deadlineInMs: rest.deadlineInMs,
    expiresInMs: rest.expiresInMs,
    payload: row.payload,
    headers: rest.headers,
    records: parseMemo(row.memo),
  };
}

/** Infinity where it has no deadline, or does not expire. The headers come last, as JSON. */
function parseRest(text: string): Rest {
  const at = text.indexOf('{');
  const [claims, failures, losses, priority, alone, deadlineInMs, expiresInMs] = (
    at === -1 ? text : text.slice(0, at - 1)
  )
    .split(' ')
    .map(Number) as [number, number, number, number, number, number, number];
  const headers = at === -1 ? undefined : text.slice(at);
  return {
    claims,
    failures,
    losses,
    priority,
    alone: alone === 1,
    deadlineInMs,
    expiresInMs,
    headers,
  };
}

export function tasksOf({ queues }: Claimant): { taskId: number; queueId: number }[] {
  return queues.flatMap(({ queueId, taskIds }) => taskIds.map((taskId) => ({ taskId, queueId })));
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
