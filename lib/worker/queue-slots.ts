import type { Clock } from '../common/clock.js';
import type { TaskDefinition } from '../discovery/task-definition.js';
import type { TaskReference } from '../execution/claimed-execution.js';
import type { Attempt } from './attempt.js';

/** A queue that this worker serves. */
export interface ServedQueue {
  queueId: number;
  name: string;
  /** Handlers of this queue that run at once in this process. */
  concurrency: number;
  tasks: Map<number, TaskDefinition>;
}

/** What is claimed ahead is begun within about this time: so long may something of a higher priority that comes later, or a
 *  worker that has nothing to do, wait for it. */
const AHEAD_MS = 50;

/** Claimed ahead at most. */
const MOST_AHEAD = 1_000;

/** What has waited for a slot for this long goes back: the handlers take longer than they did. */
export const AHEAD_PATIENCE_MS = 250;

/** So long do claims go on from where the last one came to; then one looks at everything again. As long may something wait that came to
 *  stand before that place: given back by another worker, or accepted by a transaction that took its time. */
const CURSOR_MS = 1_000;

/** The part that one handler's time has in the mean. */
const WEIGHT = 1 / 16;

/** The slots of one queue in this process, and what is claimed ahead for them: as many as they will begin within AHEAD_MS, by the
 *  time that handlers have taken lately. So fast handlers need few claims, and slow ones keep nothing from other workers. */
export class QueueSlots {
  private taken = 0;
  private reserved = 0;
  /** The next that begins is the last. */
  private ahead: Attempt[] = [];
  private meanMs = Infinity;
  /** The last claim brought what was lost with its process. Should one of these be why, few others shall be lost with it. */
  private careful = false;
  private place?: string;
  private cursorUntil = 0;

  private readonly references = new Map<number, TaskReference>();

  constructor(
    readonly queue: ServedQueue,
    private readonly clock: Clock,
  ) {}

  /** One for all executions of a task. */
  reference(taskId: number): TaskReference {
    let reference = this.references.get(taskId);
    if (reference === undefined) {
      const { name } = this.queue.tasks.get(taskId)!;
      reference = { id: taskId, name, queue: this.queue.name };
      this.references.set(taskId, reference);
    }
    return reference;
  }

  get running(): number {
    return this.taken;
  }

  get free(): number {
    return this.queue.concurrency - this.taken;
  }

  /** How many to claim: none while half of what may be ahead is there. */
  get wanted(): number {
    const most = this.careful
      ? 0
      : Math.min(MOST_AHEAD, Math.floor((this.queue.concurrency * AHEAD_MS) / this.meanMs));
    return this.ahead.length > most / 2
      ? 0
      : Math.max(0, this.free - this.reserved + most - this.ahead.length);
  }

  /** Keeps so many slots free, or as many as there are. @returns how many */
  reserve(slots: number): number {
    const kept = Math.min(slots, Math.max(0, this.free - this.reserved - this.ahead.length));
    this.reserved += kept;
    return kept;
  }

  unreserve(slots: number): void {
    this.reserved -= slots;
  }

  /** Where the next claim may go on. */
  get cursor(): string | undefined {
    return this.clock.now() < this.cursorUntil ? this.place : undefined;
  }

  /** The place of the last that a claim brought, which went on from another; undefined: it found all that there was, or looked at
   *  everything. */
  cameTo(place: string | undefined, from: string | undefined): void {
    this.place = place;
    if (from === undefined) this.cursorUntil = this.clock.now() + CURSOR_MS;
  }

  /** What a claim brought, in its order. @returns those that go back at once */
  add(attempts: Attempt[]): Attempt[] {
    this.careful = attempts.some(wasLost);
    if (!this.careful) {
      this.queueUp(attempts);
      return [];
    }
    const room = Math.max(this.free - this.ahead.length, 0);
    const refused = new Set(attempts.slice(room).filter(wasLost));
    this.queueUp(attempts.filter((attempt) => !refused.has(attempt)));
    return [...refused];
  }

  get canBegin(): boolean {
    return this.ahead.length > 0 && this.taken < this.queue.concurrency;
  }

  /** The next that begins, if there is a slot for it, which it then has. */
  begin(): Attempt | undefined {
    if (!this.canBegin) return undefined;
    this.taken += 1;
    return this.ahead.pop();
  }

  /** Its handler has ended, after this time. */
  end(tookMs: number): void {
    this.taken -= 1;
    this.meanMs = this.meanMs === Infinity ? tookMs : this.meanMs + (tookMs - this.meanMs) * WEIGHT;
  }

  /** Until something that waits for a slot shall go back; undefined: nothing waits. */
  patienceMs(now: number): number | undefined {
    const next = this.ahead.at(-1);
    return next && next.claimedAt + AHEAD_PATIENCE_MS - now;
  }

  /** All that waits for a slot, which it shall not get. The next claim looks at everything: these stand before the place that the last
   *  one came to. */
  takeBack(): Attempt[] {
    this.place = undefined;
    return this.ahead.splice(0);
  }

  /** The handlers take longer than the mean says: it knows only those that have ended. Until some have, nothing is claimed ahead, or it
   *  would go back and come again as long as they run. */
  slowDown(): void {
    this.meanMs = Math.max(this.meanMs, (this.queue.concurrency + 1) * AHEAD_MS);
  }

  /** Those of before may be of a lower priority; the sort is stable. */
  private queueUp(attempts: Attempt[]): void {
    this.ahead = [...attempts.toReversed(), ...this.ahead].sort(
      (a, b) => a.execution.priority - b.execution.priority,
    );
  }
}

function wasLost({ execution }: Attempt): boolean {
  return execution.losses > 0;
}
