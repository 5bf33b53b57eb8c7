import { AsyncResource } from 'node:async_hooks';
import { afterMacrotask } from '../common/after-drain.js';
import { Alarm } from '../common/alarm.js';
import type { Clock } from '../common/clock.js';
import type { Outcome } from '../execution/outcome.js';
import type { Attempt, AttemptEnd } from './attempt.js';
import type { Lease } from './lease.js';
import type { QueueSlots } from './queue-slots.js';
import type { Slots } from './slots.js';
import type { TaskRunner } from './task-runner.js';

/** Handlers that begin one after the other before the event loop has a turn. Without one, a thousand short ones block it for 20 ms,
 *  and the database has nothing to do meanwhile: their outcomes, and the next claim, are sent in such a turn. */
const BURST = 100;

/** Nor shall handlers that block it keep it for longer, together: the heartbeat, and the signals of other handlers, wait for its turn. */
const BURST_MS = 10;

export interface DispatcherPorts {
  /** Waits until nothing else is in this process, then says that it starts: from here the loss of its process is charged to it.
   *  @returns whether it may begin */
  startAlone(attempt: Attempt): Promise<boolean>;
  /** What it came to; its slot is free already. */
  ended(attempt: Attempt, outcome: Outcome): void;
  broke(attempt: Attempt, error: unknown): void;
  /** There are slots that nothing waits for here. */
  slotsFree(): void;
}

/** Begins what waits for the slots of each queue. A slot is free as soon as its handler has ended, and what is claimed ahead begins in it
 *  at once. */
export class Dispatcher implements AttemptEnd {
  /** Since the event loop had a turn. */
  private burst?: { begun: number; until: number };
  private turn = 0;
  private readonly aheadAlarm: Alarm;
  /** What begins shall not run in the AsyncLocalStorage of the invoke, or of the handler, that made room for it. */
  private readonly outside = new AsyncResource('ConductorWorker');

  constructor(
    private readonly slots: Slots,
    private readonly runner: TaskRunner,
    private readonly lease: Lease,
    private readonly clock: Clock,
    private readonly ports: DispatcherPorts,
  ) {
    this.aheadAlarm = new Alarm(clock, () => this.giveBackTheImpatient());
  }

  /** What came for one queue, in the order in which it is to begin. */
  receive(slots: QueueSlots, attempts: Attempt[]): void {
    this.giveBack(slots.add(attempts));
    // claimed when the stop was announced: it has not begun, and need not
    if (this.lease.workerId === undefined) this.giveBack(slots.takeBack());
    this.outside.runInAsyncScope(() => this.fill(slots, this.clock.now()));
  }

  /** Nothing that waits for a slot shall begin: others may have it. */
  stop(): void {
    for (const slots of this.slots.all) this.giveBack(slots.takeBack());
  }

  /** Nothing that waits for a slot may begin: others may have it already. */
  lose(): void {
    for (const slots of this.slots.all)
      for (const attempt of slots.takeBack()) this.ports.ended(attempt, { type: 'lost' });
  }

  // what an attempt tells

  ended(attempt: Attempt, outcome: Outcome): void {
    this.ports.ended(attempt, outcome);
    this.free(attempt);
  }

  left(attempt: Attempt, outcome: Outcome): void {
    this.outside.runInAsyncScope(() => this.ended(attempt, outcome));
  }

  broke(attempt: Attempt, error: unknown): void {
    this.ports.broke(attempt, error);
    this.free(attempt);
  }

  private free(attempt: Attempt): void {
    const now = this.clock.now();
    const slots = this.slots.of(attempt.execution.task.id);
    slots.end(now - attempt.beganAt);
    this.fill(slots, now);
    if (slots.wanted > 0) this.ports.slotsFree();
  }

  /** Begins what there are slots for. */
  private fill(slots: QueueSlots, now: number): void {
    while (slots.canBegin && !this.burstIsOver(now)) {
      this.countBegun(now);
      this.begin(slots.begin()!, now);
      if (slots.canBegin) now = this.clock.now(); // a handler may have blocked the event loop
    }
    if (!this.aheadAlarm.isSet) this.watch(slots.patienceMs(now));
  }

  private begin(attempt: Attempt, now: number): void {
    attempt.beganAt = now;
    if (attempt.execution.alone) void this.beginAlone(attempt);
    else this.enter(attempt, now);
  }

  private async beginAlone(attempt: Attempt): Promise<void> {
    try {
      if (!(await this.ports.startAlone(attempt))) return this.ended(attempt, { type: 'unbegun' });
    } catch (error) {
      return this.broke(attempt, error);
    }
    attempt.beganAt = this.clock.now();
    this.enter(attempt, attempt.beganAt);
  }

  private enter(attempt: Attempt, now: number): void {
    if (now >= this.lease.mayBeginUntil) return this.ended(attempt, { type: 'lost' });
    // its row says what is to become of it: ended by whoever finds it so, or by being given back
    if (attempt.isOverdue(now) || attempt.cancelled !== undefined)
      return this.ended(attempt, { type: 'unbegun' });
    const { id } = attempt.execution.task;
    this.runner.run(attempt, this.slots.of(id).queue.tasks.get(id)!, this);
  }

  private burstIsOver(now: number): boolean {
    const { burst } = this;
    return burst !== undefined && (burst.begun === BURST || now >= burst.until);
  }

  private countBegun(now: number): void {
    if (this.burst !== undefined) return void (this.burst.begun += 1);
    this.burst = { begun: 1, until: now + BURST_MS };
    afterMacrotask(() => {
      this.burst = undefined;
      this.fillAll();
    });
  }

  /** Each queue is the first in its turn: the first may have a burst to itself. */
  private fillAll(): void {
    const queues = this.slots.all;
    this.turn = (this.turn + 1) % queues.length;
    // handlers of the queue before may have blocked the event loop
    for (let n = 0; n < queues.length; n += 1)
      this.fill(queues[(this.turn + n) % queues.length]!, this.clock.now());
  }

  /** They have not begun: others may have them. */
  private giveBack(attempts: Attempt[]): void {
    for (const attempt of attempts) this.ports.ended(attempt, { type: 'unbegun' });
  }

  private giveBackTheImpatient(): void {
    const now = this.clock.now();
    for (const slots of this.slots.all) {
      const patienceMs = slots.patienceMs(now);
      if (patienceMs !== undefined && patienceMs <= 0) {
        slots.slowDown();
        this.giveBack(slots.takeBack());
      } else {
        this.watch(patienceMs);
      }
    }
  }

  private watch(patienceMs: number | undefined): void {
    if (patienceMs !== undefined) this.aheadAlarm.set(patienceMs);
  }
}
