import { AsyncResource } from 'node:async_hooks';
import { v4 as randomUuid } from 'uuid';
import { afterMacrotask } from '../common/after-drain.js';
import { Alarm } from '../common/alarm.js';
import { jittered, type Clock } from '../common/clock.js';
import { deferred } from '../common/deferred.js';
import type { Outcome } from '../execution/outcome.js';
import { serializeError } from '../execution/serialized-error.js';
import type {
  ClaimReply,
  ClaimRow,
  ExecutionRepository,
  Reservation,
} from '../persistence/repositories/execution.repository.js';
import type { Fence } from '../persistence/repositories/worker.repository.js';
import { isItemFailure } from '../persistence/statement.js';
import { Attempt } from './attempt.js';
import type { Completer } from './completer.js';
import type { QueueSlots, ServedQueue } from './queue-slots.js';
import { Slots, type SlotRequest } from './slots.js';
import type { TaskRunner } from './task-runner.js';
import type { WorkerLog } from './worker-log.js';

/** How long what must run alone waits for an idle process before a busy one takes it and empties itself. */
const ALONE_PATIENCE_MS = 5_000;

/** Before the next claim when something is due and none of it could be had: others are taking it. */
const CONTENDED_PAUSE_MS = 10;

const FIRST_BACKOFF_MS = 50;
const LONGEST_BACKOFF_MS = 5_000;

/** Handlers that begin one after the other before the event loop has a turn. Without one, a thousand short ones block it for 20 ms,
 *  and the database has nothing to do meanwhile: their outcomes, and the next claim, are sent in such a turn. */
const BURST = 100;

/** Nor shall handlers that block it keep it for longer, together: the heartbeat, and the signals of other handlers, wait for its turn. */
const BURST_MS = 10;

/** An invoke that waits for somebody else's transaction keeps its slots from nobody for longer. What it starts after that waits for a slot
 *  as what is claimed ahead does. */
const RESERVED_MS = 250;

/** While so many outcomes wait for the database, nothing is claimed: it could not take more. */
const MOST_UNSETTLED = 2_000;

/** Does the work: free slots, claim, run, settle. It claims when it is told that there may be something: by a hint, by the
 *  heartbeat, by its timer for the next due time, or by a slot that became free. A slot is free as soon as its handler has ended, and
 *  what is claimed ahead begins in it at once; outcomes are settled beside that, many together. */
export class Worker {
  private workerId?: number;
  private readonly slots: Slots;
  private readonly attempts = new Set<Attempt>();
  private readonly claimsInFlight = new Set<string>();
  private readonly reservations = new Set<string>();
  /** What begins with the reply to an invoke shall not run in the caller's AsyncLocalStorage. */
  private readonly outside = new AsyncResource('ConductorWorker');
  /** By the local clock. When the process stood still, what it had claimed ahead would begin before the timer that gives the lease up. */
  mayBeginUntil = Infinity;
  private unsettled = 0;
  /** Since the event loop had a turn. */
  private burst?: { begun: number; since: number };
  private turn = 0;
  private lone?: Attempt;
  private claiming = false;
  private wanted = false;
  private offers = false;
  private claims = true;
  private backoffMs = 0;
  private readonly alarm: Alarm;
  private readonly aheadAlarm: Alarm;
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
    this.slots = new Slots(clock);
    this.alarm = new Alarm(clock, () => this.wake());
    this.aheadAlarm = new Alarm(clock, () => this.giveBackTheImpatient());
  }

  start(workerId: number, queues: ServedQueue[]): void {
    this.workerId = workerId;
    this.slots.serve(queues);
    this.wake();
  }

  stopClaiming(): void {
    this.workerId = undefined;
    this.alarm.clear();
    for (const slots of this.slots.all) this.giveBack(slots.takeBack());
    for (const attempt of this.attempts) attempt.nudge();
  }

  get taskIds(): number[] {
    return this.slots.taskIds;
  }

  /** What this process really has, for the database to compare. */
  fences(): Fence[] {
    return [...this.attempts]
      .filter((attempt) => attempt.interrupted !== 'lost')
      .map(({ execution: { id, token } }) => ({ id, token }));
  }

  /** Handlers that run now. */
  get busy(): number {
    return this.slots.running;
  }

  isClaiming(token: string): boolean {
    return this.claimsInFlight.has(token) || this.reservations.has(token);
  }

  /** Keeps slots free for what this process is about to enqueue, one for each of these tasks, as far as there are any. Not while a
   *  claim is in flight: that has been promised all of them. */
  reserve(taskIds: number[]): Reservation | undefined {
    const { workerId } = this;
    if (workerId === undefined || !this.claims || this.lone !== undefined) return undefined;
    if (this.claimsInFlight.size > 0 || this.unsettled >= MOST_UNSETTLED) return undefined;
    const queues = this.slots.reserve(taskIds);
    if (queues.length === 0) return undefined;
    const token = randomUuid();
    this.reservations.add(token);
    let isKept = true;
    const letGo = () => {
      if (isKept) this.slots.unreserve(queues);
      isKept = false;
    };
    const timer = this.clock.startTimer(RESERVED_MS, () => {
      letGo();
      if (this.starved) this.wake();
    });
    return {
      workerId,
      token,
      queues,
      end: (executions) =>
        this.outside.runInAsyncScope(() => {
          this.clock.stopTimer(timer);
          this.reservations.delete(token);
          letGo();
          if (this.isStillOurs(workerId)) this.receive(executions);
          this.tellFinished();
        }),
    };
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
    for (const slots of this.slots.all)
      for (const attempt of slots.takeBack()) void this.finish(attempt, { type: 'lost' });
    for (const attempt of this.attempts) attempt.lose(reason);
  }

  interruptAll(reason: Error): void {
    for (const attempt of this.attempts) attempt.interrupt(reason);
  }

  /** Resolves when the next attempt is settled. */
  async settled(): Promise<void> {
    await this.nextFinished();
  }

  /** Resolves when no handler runs and every outcome is settled. */
  async idle(): Promise<void> {
    if (this.isIdle) return;
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
    const requests = this.unsettled < MOST_UNSETTLED ? this.slots.wanted() : [];
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
    if (!this.isStillOurs(workerId)) return;
    this.slots.cameTo(requests, reply.cursors);
    this.receive(reply.executions);
    if (reply.overdue) await this.endOverdue();
    this.planNext(reply, requests);
  }

  /** Whether what a reply brings may begin. The reply was a lease on its way, or this process stood still meanwhile: somebody else
   *  may be running it by now. If it is still ours, the heartbeat finds it. */
  private isStillOurs(workerId: number): boolean {
    return this.claims && (this.workerId === undefined || this.workerId === workerId);
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

  private receive(rows: ClaimRow[]): void {
    const now = this.clock.now();
    const came = new Map<QueueSlots, Attempt[]>();
    for (const row of rows) {
      const slots = this.slots.of(row.taskId);
      const { name: queue, tasks } = slots.queue;
      const { name } = tasks.get(row.taskId)!;
      const attempt = new Attempt(
        { ...row, task: { id: row.taskId, name, queue } },
        { owner: { executionId: row.id, taskName: name } },
        now,
      );
      this.attempts.add(attempt);
      if (row.alone) this.lone = attempt;
      const others = came.get(slots);
      if (others === undefined) came.set(slots, [attempt]);
      else others.push(attempt);
    }
    for (const [slots, attempts] of came) {
      this.giveBack(slots.add(attempts));
      // claimed when the stop was announced: it has not begun, and need not
      if (this.workerId === undefined) this.giveBack(slots.takeBack());
      this.fill(slots);
    }
  }

  /** Begins what there are slots for. */
  private fill(slots: QueueSlots): void {
    while (!this.burstIsOver) {
      const next = slots.begin();
      if (next === undefined) break;
      this.countBegun();
      void this.finish(next, this.inSlot(next, slots));
    }
    if (slots.patienceMs !== undefined) this.aheadAlarm.set(slots.patienceMs);
  }

  private get burstIsOver(): boolean {
    const { burst } = this;
    return (
      burst !== undefined && (burst.begun === BURST || this.clock.now() - burst.since >= BURST_MS)
    );
  }

  private countBegun(): void {
    if (this.burst !== undefined) return void (this.burst.begun += 1);
    this.burst = { begun: 1, since: this.clock.now() };
    afterMacrotask(() => {
      this.burst = undefined;
      this.fillAll();
    });
  }

  /** Each queue is the first in its turn: the first may have a burst to itself. */
  private fillAll(): void {
    const queues = this.slots.all;
    this.turn = (this.turn + 1) % queues.length;
    for (let n = 0; n < queues.length; n += 1) this.fill(queues[(this.turn + n) % queues.length]!);
  }

  /** They have not begun: others may have them. */
  private giveBack(attempts: Attempt[]): void {
    for (const attempt of attempts) void this.finish(attempt, { type: 'unbegun' });
  }

  private giveBackTheImpatient(): void {
    for (const slots of this.slots.all) {
      const { patienceMs } = slots;
      if (patienceMs === undefined) continue;
      if (patienceMs > 0) {
        this.aheadAlarm.set(patienceMs);
      } else {
        slots.slowDown();
        this.giveBack(slots.takeBack());
      }
    }
  }

  /** Never rejects. */
  private async finish(attempt: Attempt, outcome: Outcome | Promise<Outcome>): Promise<void> {
    try {
      await this.settle(attempt, await outcome);
    } catch (error) {
      this.log.settleFailed(attempt.execution, error);
    } finally {
      this.finished(attempt);
    }
  }

  private async inSlot(attempt: Attempt, slots: QueueSlots): Promise<Outcome> {
    const { alone, task } = attempt.execution;
    let beganAt = this.clock.now();
    try {
      if (alone && !(await this.startAlone(attempt))) return { type: 'unbegun' };
      beganAt = this.clock.now();
      if (beganAt >= this.mayBeginUntil) return { type: 'lost' };
      if (attempt.isOverdue(beganAt)) return { type: 'unbegun' }; // ended by whoever finds it so
      return await this.runner.run(attempt, slots.queue.tasks.get(task.id)!);
    } finally {
      slots.end(this.clock.now() - beganAt);
      this.fill(slots);
      if (this.starved && slots.wanted > 0) this.wake();
    }
  }

  /** Waits until nothing else runs in this process, then says that it starts: from here its process's loss is charged to it. */
  private async startAlone(attempt: Attempt): Promise<boolean> {
    while (this.reservations.size > 0 || [...this.attempts].some((other) => other !== attempt))
      await this.nextFinished();
    if (attempt.interrupted !== undefined || this.workerId === undefined) return false;
    const { id, token } = attempt.execution;
    return await this.executions.startAlone(id, token, () => attempt.interrupted === undefined);
  }

  private async settle(attempt: Attempt, outcome: Outcome): Promise<void> {
    if (outcome.type === 'suspended') return;
    if (outcome.type === 'lost' || attempt.interrupted === 'lost')
      return this.log.lost(attempt.execution);
    const { id, token } = attempt.execution;
    const { mayForget: forget } = attempt;
    this.unsettled += 1;
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
    } finally {
      this.unsettled -= 1;
    }
  }

  private finished(attempt: Attempt): void {
    this.attempts.delete(attempt);
    if (this.lone === attempt) {
      this.lone = undefined;
      this.starved = true;
    }
    this.tellFinished();
  }

  private tellFinished(): void {
    for (const resolve of this.finishedWaiters.splice(0)) resolve();
    if (this.starved) this.wake();
    this.tellIdle();
  }

  private async nextFinished(): Promise<void> {
    await new Promise<void>((resolve) => this.finishedWaiters.push(resolve));
  }

  private get isIdle(): boolean {
    return this.attempts.size === 0 && this.reservations.size === 0 && !this.claiming;
  }

  private tellIdle(): void {
    if (!this.isIdle) return;
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }
}
