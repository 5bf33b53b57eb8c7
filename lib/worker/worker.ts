import { v4 as randomUuid } from 'uuid';
import { afterMacrotask } from '../common/after-drain.js';
import { Alarm } from '../common/alarm.js';
import { jittered, type Clock } from '../common/clock.js';
import { deferred } from '../common/deferred.js';
import type { TaskDefinition } from '../discovery/task-definition.js';
import type { Outcome } from '../execution/outcome.js';
import { serializeError } from '../execution/serialized-error.js';
import type {
  ClaimReply,
  ClaimRow,
  ExecutionRepository,
} from '../persistence/repositories/execution.repository.js';
import type { Fence } from '../persistence/repositories/worker.repository.js';
import { isItemFailure } from '../persistence/statement.js';
import { Attempt } from './attempt.js';
import type { Completer } from './completer.js';
import { Slots, type ServedQueue, type SlotRequest } from './slots.js';
import type { TaskRunner } from './task-runner.js';
import type { WorkerLog } from './worker-log.js';

/** How long what must run alone waits for an idle process before a busy one takes it and empties itself. */
const ALONE_PATIENCE_MS = 5_000;

/** Before the next claim when something is due and none of it could be had: others are taking it. */
const CONTENDED_PAUSE_MS = 10;

const FIRST_BACKOFF_MS = 50;
const LONGEST_BACKOFF_MS = 5_000;

/** Does the work: free slots, claim, run, settle. It claims when it is told that there may be something: by a hint, by the
 *  heartbeat, by its timer for the next due time, or by a slot that became free. */
export class Worker {
  private workerId?: number;
  private readonly slots = new Slots();
  private readonly attempts = new Map<string, Attempt>();
  private readonly claimsInFlight = new Set<string>();
  private lone?: Attempt;
  private claiming = false;
  private wanted = false;
  private offers = false;
  private claims = true;
  private backoffMs = 0;
  private readonly alarm: Alarm;
  /** The last claim left something behind, for want of slots: the next free one is worth a claim. */
  private starved = false;
  private idleWaiters: (() => void)[] = [];
  private finishedWaiters: (() => void)[] = [];

  constructor(
    private readonly executions: ExecutionRepository,
    private readonly runner: TaskRunner,
    private readonly completer: Completer,
    private readonly log: WorkerLog,
    private readonly clock: Clock,
  ) {
    this.alarm = new Alarm(clock, () => this.wake());
  }

  start(workerId: number, queues: ServedQueue[]): void {
    this.workerId = workerId;
    this.slots.serve(queues);
    this.wake();
  }

  stopClaiming(): void {
    this.workerId = undefined;
    this.alarm.clear();
    for (const attempt of this.attempts.values()) attempt.nudge();
  }

  get taskIds(): number[] {
    return this.slots.taskIds;
  }

  /** What is really running, for the database to compare. */
  fences(): Fence[] {
    return [...this.attempts.values()]
      .filter((attempt) => attempt.interrupted !== 'lost')
      .map(({ execution: { id, token } }) => ({ id, token }));
  }

  get busy(): number {
    return this.attempts.size;
  }

  isClaiming(token: string): boolean {
    return this.claimsInFlight.has(token);
  }

  /** There may be something to claim. */
  wake(): void {
    if (this.workerId === undefined) return;
    this.wanted = true;
    if (!this.claiming) void this.claimWhileWanted();
  }

  /** Blocked executions are offered to this worker: its next claim asks for them. */
  takeOffers(): void {
    this.offers = true;
    this.wake();
  }

  /** Something can be claimed in so many ms. */
  wakeIn(ms: number): void {
    if (this.workerId === undefined) return;
    if (ms <= 0) return this.wake();
    this.alarm.set(ms);
  }

  /** Whether the lease is renewed in time, by code that is not too old for the schema. While it is not, nothing new is claimed. */
  set mayClaim(may: boolean) {
    if (this.claims === may) return;
    this.claims = may;
    if (may) this.wake();
  }

  /** Shortly before the lease ends, or once it is lost: no attempt may go on. */
  loseAll(reason?: Error): void {
    for (const attempt of this.attempts.values()) attempt.lose(reason);
  }

  interruptAll(reason: Error): void {
    for (const attempt of this.attempts.values()) attempt.interrupt(reason);
  }

  /** Resolves when the next attempt is settled. */
  async settled(): Promise<void> {
    await this.nextFinished();
  }

  /** Resolves when no handler runs and every outcome is settled. */
  async idle(): Promise<void> {
    if (this.attempts.size === 0 && !this.claiming) return;
    const { promise, resolve } = deferred<void>();
    this.idleWaiters.push(() => resolve());
    await promise;
  }

  private async claimWhileWanted(): Promise<void> {
    this.claiming = true;
    try {
      while (this.wanted && this.workerId !== undefined) {
        this.wanted = false;
        // attempts that were settled together free their slots together: one claim for all of them
        await new Promise<void>((resolve) => afterMacrotask(resolve));
        if (this.workerId === undefined) return;
        await this.claimOnce(this.workerId);
      }
    } finally {
      this.claiming = false;
      this.tellIdle();
    }
  }

  private async claimOnce(workerId: number): Promise<void> {
    // something that runs alone waits for the process to empty: nothing else may come in
    if (this.lone !== undefined || !this.claims) return;
    const requests = this.slots.free();
    this.starved = this.slots.areShort(requests, []);
    if (requests.length === 0) return;
    const token = randomUuid();
    const { offers } = this;
    this.offers = false;
    this.claimsInFlight.add(token);
    let reply: ClaimReply;
    try {
      reply = await this.executions.claim({
        workerId,
        token,
        queues: requests,
        alonePatienceMs: this.attempts.size === 0 ? 0 : ALONE_PATIENCE_MS,
        offers,
      });
      this.backoffMs = 0;
    } catch (error) {
      return this.claimFailed(error);
    } finally {
      this.claimsInFlight.delete(token);
    }
    if (reply.refused) return; // the next heartbeat finds out why
    // the reply was a lease on its way, or this process stood still meanwhile: somebody else may be running these by now. If they are
    // still ours, the heartbeat finds them
    if (!this.claims || (this.workerId !== undefined && this.workerId !== workerId)) return;
    for (const row of reply.executions) this.begin(row);
    if (reply.overdue) await this.endOverdue();
    this.planNext(reply, requests);
  }

  /** They stand before what can be claimed, so they are not left to the next heartbeat. */
  private async endOverdue(): Promise<void> {
    try {
      await this.executions.endOverdue();
      this.wake();
    } catch (error) {
      this.claimFailed(error);
    }
  }

  private planNext({ executions, dueInMs }: ClaimReply, requests: SlotRequest[]): void {
    if (this.slots.areShort(requests, executions)) this.starved = true;
    if (dueInMs === undefined || this.lone !== undefined) return;
    // nothing came although something is due: another worker has it in hand, or it must run alone and we are busy
    if (executions.length === 0 && dueInMs <= 0) this.wakeIn(CONTENDED_PAUSE_MS);
    else this.wakeIn(dueInMs);
  }

  private claimFailed(error: unknown): void {
    this.backoffMs = Math.min(Math.max(this.backoffMs * 2, FIRST_BACKOFF_MS), LONGEST_BACKOFF_MS);
    this.log.claimFailed(error, this.backoffMs);
    this.wakeIn(jittered(this.clock, this.backoffMs));
  }

  private begin({ taskId, ...row }: ClaimRow): void {
    const queue = this.slots.queueOf(taskId);
    const task = queue.tasks.get(taskId)!;
    const attempt = new Attempt(
      { ...row, task: { id: taskId, name: task.name, queue: queue.name } },
      { owner: { executionId: row.id, taskName: task.name } },
    );
    this.attempts.set(`${row.id} ${row.token}`, attempt);
    this.slots.take(queue);
    if (row.alone) this.lone = attempt;
    void this.carryOut(attempt, task)
      .catch((error: unknown) => this.log.settleFailed(attempt.execution, error))
      .finally(() => this.finished(attempt, queue));
  }

  private async carryOut(attempt: Attempt, task: TaskDefinition): Promise<void> {
    // claimed when the stop was announced: it has not begun, and need not
    if (this.workerId === undefined) return await this.settle(attempt, { type: 'released' });
    if (attempt.execution.alone && !(await this.startAlone(attempt))) return;
    const outcome = await this.runner.run(attempt, task);
    await this.settle(attempt, outcome);
  }

  /** Waits until nothing else runs in this process, then says that it starts: from here its process's loss is charged to it. */
  private async startAlone(attempt: Attempt): Promise<boolean> {
    while ([...this.attempts.values()].some((other) => other !== attempt))
      await this.nextFinished();
    if (attempt.interrupted !== undefined || this.workerId === undefined) {
      await this.settle(attempt, { type: 'released' });
      return false;
    }
    const { id, token } = attempt.execution;
    return await this.executions.startAlone(id, token, () => attempt.interrupted === undefined);
  }

  private async settle(attempt: Attempt, outcome: Outcome): Promise<void> {
    if (outcome.type === 'suspended') return;
    if (outcome.type === 'lost' || attempt.interrupted === 'lost')
      return this.log.lost(attempt.execution);
    const { id, token } = attempt.execution;
    const forget = attempt.journal?.mayForget ?? true;
    try {
      const report = await this.completer.settle({ id, token, outcome, forget });
      if (report === 'lost') this.log.lost(attempt.execution);
      if (outcome.type === 'retry') this.wakeIn(outcome.delayMs);
      if (outcome.type === 'blocked') this.log.blocked(attempt.execution, outcome.error.message);
    } catch (error) {
      // Postgres refuses this very content: the execution fails by itself, its neighbours in the batch are settled
      if (!isItemFailure(error) || outcome.type === 'failed') throw error;
      const failed: Outcome = { type: 'failed', error: serializeError(this.log.visible(error)) };
      await this.completer.settle({ id, token, outcome: failed, forget });
    }
  }

  private finished(attempt: Attempt, queue: ServedQueue): void {
    const { id, token } = attempt.execution;
    this.attempts.delete(`${id} ${token}`);
    this.slots.giveBack(queue);
    if (this.lone === attempt) {
      this.lone = undefined;
      this.starved = true;
    }
    for (const resolve of this.finishedWaiters.splice(0)) resolve();
    if (this.starved) this.wake();
    this.tellIdle();
  }

  private async nextFinished(): Promise<void> {
    await new Promise<void>((resolve) => this.finishedWaiters.push(resolve));
  }

  private tellIdle(): void {
    if (this.attempts.size > 0 || this.claiming) return;
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }
}
