import type { SchemaVersionError } from '../../errors/schema-version.error.js';
import type { Database } from '../database.js';
import type { Statement } from '../statement.js';
import { recover } from '../sql/recover.js';
import { runnable } from '../sql/runnable.js';
import {
  announceStop,
  beatRow,
  deregisterWorker,
  heartbeat,
  registerWorker,
  releaseOrphans,
} from '../sql/worker.js';

/** What an attempt is known by: an execution and the right to run it. */
export interface Fence {
  id: string;
  token: string;
}

export interface Beat {
  /** Until something can be claimed; undefined: nothing waits. */
  dueInMs?: number;
  /** Some worker's lease has lapsed. */
  lapsed: boolean;
  /** Of all workers that are taken for alive: how often to beat follows from it. */
  shortestLeaseMs: number;
  /** Blocked executions are offered to this worker: its next claim may ask for them. */
  offers: boolean;
  /** Something waits although its time is over. */
  overdue: boolean;
  /** Newer code has upgraded the schema so far that this code must not claim. */
  tooOld?: SchemaVersionError;
  /** Rows that this worker owns and did not name. */
  orphans: Fence[];
  /** What it runs and shall stop. */
  cancelled: CancelledFence[];
}

export interface CancelledFence extends Fence {
  reason?: string;
}

export interface Recovery {
  workerId: number;
  recovered: number;
  ended: number;
  more: boolean;
}

interface BeatRow {
  kind: number;
  id: string;
  token: string;
  due_in_ms: number | null;
  lapsed: boolean;
  shortest_lease_ms: number;
  offers: boolean;
  overdue: boolean;
  version: number | null;
  min_compatible: number | null;
  reason: string | null;
}

/** Rows of one recovery of one dead worker: bounded, so that the statement stays short. */
const RECOVERY_LIMIT = 500;

/** Who is alive, and what becomes of the work of those who are not. */
export class WorkerRepository {
  constructor(
    private readonly database: Database,
    /** The way of what keeps a worker alive: it shall wait for no other statement. */
    private readonly lane: Statement = database.statement,
  ) {}

  async register(host: string, pid: number, leaseMs: number, goOn: () => boolean): Promise<number> {
    // sent again after a lost reply it makes a second row, which owns nothing and is struck off when its lease lapses
    const [row] = await this.lane.persist<{ register_worker: number }>(
      registerWorker.call(this.database.schema),
      [host, pid, leaseMs, this.database.code.version],
      goOn,
    );
    return row!.register_worker;
  }

  /** @returns undefined when this worker was reaped. */
  async beat(workerId: number, taskIds: number[], running: Fence[]): Promise<Beat | undefined> {
    const rows = await this.lane.run<BeatRow>(heartbeat.call(this.database.schema), [
      workerId,
      taskIds,
      running.map((fence) => fence.id),
      running.map((fence) => fence.token),
    ]);
    const alive = rows.find((row) => row.kind === beatRow.alive);
    if (alive === undefined) return undefined;
    return {
      dueInMs: alive.due_in_ms ?? undefined,
      lapsed: alive.lapsed,
      shortestLeaseMs: alive.shortest_lease_ms,
      offers: alive.offers,
      overdue: alive.overdue,
      tooOld: this.database.tooOld({
        version: alive.version ?? 0,
        minCompatible: alive.min_compatible ?? 0,
      }),
      orphans: rows
        .filter((row) => row.kind === beatRow.orphan)
        .map(({ id, token }) => ({ id, token })),
      cancelled: rows
        .filter((row) => row.kind === beatRow.cancelled)
        .map(({ id, token, reason }) => ({ id, token, reason: reason ?? undefined })),
    };
  }

  async releaseOrphans(orphans: Fence[]): Promise<void> {
    await this.lane.run(releaseOrphans.call(this.database.schema), [
      orphans.map((fence) => fence.id),
      orphans.map((fence) => fence.token),
    ]);
  }

  async recover(workerId: number): Promise<Recovery[]> {
    const rows = await this.database.statement.run<{
      worker_id: number;
      recovered: number;
      ended: number;
      more: boolean;
    }>(recover.call(this.database.schema), [workerId, RECOVERY_LIMIT]);
    return rows.map(({ worker_id, recovered, ended, more }) => ({
      workerId: worker_id,
      recovered,
      ended,
      more,
    }));
  }

  async announceStop(workerId: number): Promise<void> {
    await this.database.statement.run(announceStop.call(this.database.schema), [workerId]);
  }

  /** @returns whether it was struck off; false: it still owns something. */
  async deregister(workerId: number): Promise<boolean> {
    const rows = await this.database.statement.run(deregisterWorker.call(this.database.schema), [
      workerId,
    ]);
    return rows.length > 0;
  }

  async runnable(taskIds: number[]): Promise<boolean> {
    const [row] = await this.database.statement.run<{ runnable: boolean }>(
      runnable.call(this.database.schema),
      [taskIds],
    );
    return row!.runnable;
  }
}
