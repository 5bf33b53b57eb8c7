import type { Clock } from '../common/clock.js';
import { deferred } from '../common/deferred.js';
import type {
  ClaimRow,
  ExecutionRepository,
  Reservation,
} from '../persistence/repositories/execution.repository.js';
import type { CancelledFence, Fence } from '../persistence/repositories/worker.repository.js';
import { Attempt } from './attempt.js';
import { Claimer } from './claimer.js';
import { Dispatcher } from './dispatcher.js';
import { Lease } from './lease.js';
import type { QueueSlots, ServedQueue } from './queue-slots.js';
import { Reservations } from './reservations.js';
import { Settler } from './settler.js';
import { Slots } from './slots.js';
import type { TaskRunner } from './task-runner.js';
import type { WorkerLog } from './worker-log.js';

/** While so many outcomes wait for the database, nothing is claimed: it could not take more. */
const MOST_UNSETTLED = 2_000;

/** Does the work: claims for free slots, begins in them, settles what comes of it. Each has a room of its own; here stands what is in this
 *  process. */
export class Worker {
  private readonly lease = new Lease();
  private readonly slots: Slots;
  private readonly claimer: Claimer;
  private readonly reservations: Reservations;
  private readonly dispatcher: Dispatcher;
  private readonly settler: Settler;
  /** Claimed, and not settled. */
  private readonly attempts = new Set<Attempt>();
  /** Runs alone, or waits for that: nothing else may come in. */
  private lone?: Attempt;
  private idleWaiters: (() => void)[] = [];
  private finishedWaiters: (() => void)[] = [];

  constructor(
    private readonly executions: ExecutionRepository,
    runner: TaskRunner,
    log: WorkerLog,
    private readonly clock: Clock,
  ) {
    const { lease } = this;
    this.slots = new Slots(clock);
    this.settler = new Settler(executions, log, clock, {
      finished: (attempt) => this.finished(attempt),
      retryIn: (ms) => this.wakeIn(ms),
    });
    this.claimer = new Claimer(executions, this.slots, lease, log, clock, {
      isFull: () => this.isFull,
      isEmpty: () => this.attempts.size === 0,
      receive: (rows) => this.receive(rows),
      quiet: () => this.tellIdle(),
    });
    this.reservations = new Reservations(this.slots, lease, clock, {
      receive: (rows) => this.receive(rows),
      letGo: () => this.claimer.roomAgain(),
      ended: () => this.tellFinished(),
    });
    this.dispatcher = new Dispatcher(this.slots, runner, lease, clock, {
      startAlone: (attempt) => this.startAlone(attempt),
      ended: (attempt, outcome) => this.settler.settle(attempt, outcome),
      broke: (attempt, error) => {
        log.settleFailed(attempt.execution, error);
        this.finished(attempt);
      },
      slotsFree: () => this.claimer.roomAgain(),
    });
  }

  start(workerId: number, queues: ServedQueue[]): void {
    this.lease.workerId = workerId;
    this.slots.serve(queues);
    this.wake();
  }

  stopClaiming(): void {
    this.lease.workerId = undefined;
    this.claimer.stop();
    this.dispatcher.stop();
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

  /** Whether what has this token may still be on its way to us. */
  isClaiming(token: string): boolean {
    return this.claimer.has(token) || this.reservations.has(token);
  }

  /** Keeps slots free for what this process is about to enqueue, one for each of these tasks, as far as there are any. Also while a claim is
   *  on its way: an invoke that does not start here wakes every worker, whose claims would keep the next ones from starting. It may
   *  bring as many as were free; then some wait for a slot as what is claimed ahead does. */
  reserve(taskIds: number[]): Reservation | undefined {
    const { workerId, isRenewed } = this.lease;
    if (workerId === undefined || !isRenewed) return undefined;
    if (this.isFull) return undefined;
    return this.reservations.make(workerId, taskIds);
  }

  /** There may be something to claim. */
  wake(): void {
    this.claimer.wake();
  }

  /** Something can be claimed in so many ms. */
  wakeIn(ms: number): void {
    this.claimer.wakeIn(ms);
  }

  /** Blocked executions are offered to this worker: its next claim asks for them. */
  takeOffers(): void {
    this.claimer.takeOffers();
  }

  /** Whether the lease is renewed in time, by code that is not too old for the schema. While it is not, nothing new is claimed. */
  set mayClaim(may: boolean) {
    if (this.lease.isRenewed === may) return;
    this.lease.isRenewed = may;
    if (may) this.wake();
  }

  /** Whether this process stood still for longer than its lease, and the timer that gives it up is still to come. */
  get outlivedLease(): boolean {
    return this.clock.now() >= this.lease.mayBeginUntil;
  }

  /** By the local clock: from then on nothing begins that waits for a slot, and no body of a step. */
  set mayBeginUntil(at: number) {
    this.lease.mayBeginUntil = at;
  }

  /** Shortly before the lease ends, or once it is lost: no attempt may go on. */
  loseAll(reason?: Error): void {
    this.dispatcher.lose();
    for (const attempt of this.attempts) attempt.lose(reason);
  }

  /** Somebody wants these to end. */
  cancel(fences: CancelledFence[]): void {
    if (fences.length === 0) return;
    const reasons = new Map(fences.map(({ token, id, reason }) => [`${id} ${token}`, reason]));
    for (const attempt of this.attempts) {
      const key = `${attempt.execution.id} ${attempt.execution.token}`;
      if (reasons.has(key)) attempt.cancel(reasons.get(key));
    }
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

  /** The hard deadline has passed: what is not settled by now is recovered when the lease lapses. */
  abandon(): void {
    this.settler.abandon();
  }

  private get isFull(): boolean {
    return this.lone !== undefined || this.settler.unsettled >= MOST_UNSETTLED;
  }

  private receive(rows: ClaimRow[]): void {
    const now = this.clock.now();
    const came = new Map<QueueSlots, Attempt[]>();
    for (const row of rows) {
      const slots = this.slots.of(row.taskId);
      const attempt = new Attempt({ ...row, task: slots.reference(row.taskId) }, now);
      this.attempts.add(attempt);
      if (row.alone) this.lone = attempt;
      const others = came.get(slots);
      if (others === undefined) came.set(slots, [attempt]);
      else others.push(attempt);
    }
    for (const [slots, attempts] of came) this.dispatcher.receive(slots, attempts);
  }

  private async startAlone(attempt: Attempt): Promise<boolean> {
    while (this.reservations.size > 0 || [...this.attempts].some((other) => other !== attempt))
      await this.nextFinished();
    if (attempt.interrupted !== undefined || this.lease.workerId === undefined) return false;
    const { id, token } = attempt.execution;
    return await this.executions.startAlone(id, token, () => attempt.interrupted === undefined);
  }

  private finished(attempt: Attempt): void {
    this.attempts.delete(attempt);
    if (this.lone === attempt) {
      this.lone = undefined;
      this.claimer.openAgain();
    }
    this.tellFinished();
  }

  private tellFinished(): void {
    if (this.finishedWaiters.length > 0)
      for (const resolve of this.finishedWaiters.splice(0)) resolve();
    this.claimer.roomAgain();
    this.tellIdle();
  }

  private async nextFinished(): Promise<void> {
    await new Promise<void>((resolve) => this.finishedWaiters.push(resolve));
  }

  private get isIdle(): boolean {
    return this.attempts.size === 0 && this.reservations.size === 0 && !this.claimer.isClaiming;
  }

  private tellIdle(): void {
    if (!this.isIdle) return;
    for (const resolve of this.idleWaiters.splice(0)) resolve();
  }
}
