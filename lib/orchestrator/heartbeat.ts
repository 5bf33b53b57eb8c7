import type { Clock, Timer } from '../common/clock.js';
import { Loop } from '../common/loop.js';
import type { SchemaVersionError } from '../errors/schema-version.error.js';
import type { ExecutionRepository } from '../persistence/repositories/execution.repository.js';
import type { Fence, WorkerRepository } from '../persistence/repositories/worker.repository.js';
import type { WorkerLog } from '../worker/worker-log.js';
import type { Worker } from '../worker/worker.js';
import { endOverdue } from './duties/overdue.js';
import { recoverLapsed } from './duties/recovery.js';

/** The longest time between two beats. A beat is also the poll that finds work no hint announced. */
const LONGEST_BEAT_MS = 1_000;

/** Of the shortest lease among all workers: see the statement. */
const BEATS_PER_LEASE = 5;

/** How long before its end a lease that could not be renewed is given up. */
const FENCE_MARGIN = 0.1;

/** Keeps this process alive in the database's eyes, one row for the process however many executions it runs, and does in
 *  each beat what every worker has to do. */
export class Heartbeat {
  private workerId = 0;
  private shortestLeaseMs: number;
  private readonly loop: Loop;
  private fenceTimer?: Timer;
  private suspects = new Set<string>();
  private recovering?: Promise<void>;
  private endingOverdue?: Promise<void>;

  constructor(
    private readonly workers: WorkerRepository,
    private readonly executions: ExecutionRepository,
    private readonly worker: Worker,
    private readonly log: WorkerLog,
    private readonly clock: Clock,
    private readonly leaseMs: number,
    /** This worker was reaped: it has to register anew. */
    private readonly reaped: () => Promise<void>,
  ) {
    this.shortestLeaseMs = leaseMs;
    this.loop = new Loop(
      () => this.beat(),
      () => Math.min(this.shortestLeaseMs / BEATS_PER_LEASE, LONGEST_BEAT_MS),
      (error) => this.log.beatFailed(error),
      clock,
    );
  }

  start(workerId: number): void {
    this.renumber(workerId);
    this.loop.start();
  }

  /** Something of this worker's was cancelled: a beat brings it. */
  hurry(): void {
    this.loop.hurry();
  }

  /** The loop goes on under another number. */
  renumber(workerId: number): void {
    this.workerId = workerId;
    this.suspects.clear();
    this.renewed(this.clock.now());
  }

  async stop(): Promise<void> {
    this.clock.stopTimer(this.fenceTimer);
    await this.loop.stop();
    await Promise.all([this.recovering, this.endingOverdue]);
    this.clock.stopTimer(this.fenceTimer);
  }

  private async beat(): Promise<void> {
    const sentAt = this.clock.now();
    const reply = await this.workers.beat(this.workerId, this.worker.taskIds, this.worker.fences());
    if (reply === undefined) {
      this.log.reaped();
      this.worker.loseAll();
      return await this.reaped();
    }
    this.log.beatSucceeded();
    this.shortestLeaseMs = reply.shortestLeaseMs;
    this.renewed(sentAt, reply.tooOld);
    this.worker.cancel(reply.cancelled);
    if (reply.offers) this.worker.takeOffers();
    if (reply.dueInMs !== undefined) this.worker.wakeIn(reply.dueInMs);
    await this.releaseOrphans(reply.orphans);
    if (reply.lapsed) this.recover();
    if (reply.overdue) this.endOverdue();
  }

  /** Beside the beat and not within it: a long recovery must not cost this worker its own lease. */
  private recover(): void {
    this.recovering ??= recoverLapsed(this.workers, this.workerId, this.log)
      .catch((error: unknown) => this.log.dutyFailed('Recovery', error))
      .finally(() => (this.recovering = undefined));
  }

  private endOverdue(): void {
    this.endingOverdue ??= endOverdue(this.executions)
      .catch((error: unknown) => this.log.dutyFailed('Ending what is overdue', error))
      .finally(() => (this.endingOverdue = undefined));
  }

  /** The lease counts from before the beat was sent: the database took its time after that. */
  private renewed(sentAt: number, tooOld?: SchemaVersionError): void {
    this.clock.stopTimer(this.fenceTimer);
    this.worker.mayClaim = tooOld === undefined;
    if (tooOld !== undefined) this.log.tooOld(tooOld);
    const fenceAt = sentAt + this.leaseMs * (1 - FENCE_MARGIN);
    this.worker.mayBeginUntil = fenceAt;
    this.fenceTimer = this.clock.startTimer(fenceAt - this.clock.now(), () => {
      this.log.leaseEnding(this.worker.busy);
      this.worker.mayClaim = false;
      this.worker.loseAll();
    });
  }

  /** A row that we own and do not run, as after a claim whose reply was lost. Only what two beats in a row found is given
   *  back: a reply may have been on its way during the first. */
  private async releaseOrphans(orphans: Fence[]): Promise<void> {
    const key = ({ id, token }: Fence) => `${id} ${token}`;
    const running = new Set(this.worker.fences().map(key));
    const owned = orphans.filter(
      (fence) => !running.has(key(fence)) && !this.worker.isClaiming(fence.token),
    );
    const lost = owned.filter((fence) => this.suspects.has(key(fence)));
    this.suspects = new Set(owned.map(key));
    if (lost.length === 0) return;
    await this.workers.releaseOrphans(lost);
    this.worker.wake();
  }
}
