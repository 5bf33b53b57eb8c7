import type { Change, Registration } from './audit-trigger.js';
import { readAnnouncedStops, readChanges, readRegistrations } from './audit-trigger.js';
import type { Cluster } from './cluster.js';
import type { LedgerRow } from './ledger.js';
import { readCommitted, readLedger } from './ledger.js';
import type { Load, Planned } from './load.js';
import type { ProcessEnd } from './worker-process.js';

export interface OutcomeRow {
  execution: string;
  status: number;
  claims: number;
  failures: number;
  losses: number;
  /** Decoded; the loads' results are plain JSON. */
  result: unknown;
  error: { code?: string; message?: string } | null;
}

/** What is in the engine's tables once a run has converged. */
export interface Rest {
  /** Executions that are not finished. */
  runs: { execution: string; status: number; workerId: number | null }[];
  workers: { id: number; pid: number }[];
}

/** All that is known of a run when it is over. Plain values: the invariants read nothing else. */
export interface History<P = unknown> {
  load: Load<P>;
  accepted: Planned<P>[];
  outcomes: OutcomeRow[];
  changes: Change[];
  ledger: LedgerRow[];
  /** What transactional steps wrote in their transactions. */
  committed: LedgerRow[];
  rest: Rest;
  /** Processes that were up when `rest` was read. */
  livePids: number[];
  /** Numbers, in the database, of the workers that a fault hit: only these may lose their lease. */
  hitWorkers: number[];
  /** Numbers of the workers that had said that they were stopping: their loss is charged to nobody. */
  announcedStops: number[];
  registrations: Registration[];
  /** The longest time for which the machine let this process wait: it does next to nothing, so the workers may have waited too. */
  heldUpMs: number;
  deadlocks: number;
  ends: ProcessEnd[];
  rejections: string[];
}

export async function readRest({ engine }: Pick<Cluster, 'engine'>): Promise<Rest> {
  return {
    runs: await engine(
      `select id as execution, status, worker_id as "workerId" from conductor.run order by id`,
    ),
    workers: await engine(`select id, pid from conductor.worker order by id`),
  };
}

export async function readRecords({
  engine,
  ledger,
}: Pick<Cluster, 'engine' | 'ledger'>): Promise<
  Pick<
    History,
    'outcomes' | 'changes' | 'announcedStops' | 'registrations' | 'ledger' | 'committed'
  >
> {
  return {
    outcomes: await engine(
      `select id as execution, status, claims, failures, losses, result, error from conductor.outcome`,
    ),
    changes: await readChanges(engine),
    announcedStops: await readAnnouncedStops(engine),
    registrations: await readRegistrations(engine),
    ledger: await readLedger(ledger),
    committed: await readCommitted(engine),
  };
}

export function byExecution<T extends { execution: string }>(rows: T[]): Map<string, T[]> {
  return grouped(rows, ({ execution }) => execution);
}

/** Each group in the order of its rows. */
export function grouped<T>(rows: T[], keyOf: (row: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const key = keyOf(row);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return groups;
}
