import { afterDrain, afterMacrotask } from '../common/after-drain.js';
import type { Clock, Timer } from '../common/clock.js';
import type { DivergenceError } from '../errors/divergence.error.js';
import type { ClaimedExecution } from '../execution/claimed-execution.js';
import type { RecordWrite, StepRecord } from '../execution/step-record.js';
import type { Ask } from './ask.js';
import { Asks } from './asks.js';
import { Divergences } from './divergences.js';
import type { JournalPorts } from './journal-ports.js';
import { Outcomes, type OutcomePorts } from './outcomes.js';
import type { RecordedOutcomes } from './recorded-outcomes.js';
import { StepBodies } from './step-bodies.js';
import { Waits } from './waits.js';

/** How long a recorded outcome may go unasked while the handler is idle. */
const DIVERGENCE_MS = 10_000;

/** Decides what comes next for one activation's handler: recorded outcomes in the order in which they were seen, then what bodies and waits
 *  come to, then bodies that have no record; and, when nothing of it is left, whether the activation may be dropped.
 *
 *  Outcomes are delivered one per drained microtask queue. Resolving memoized promises at once instead exchanged results of
 *  parallel branches silently in 280 of 600 random runs. */
export class Replay implements OutcomePorts {
  readonly asks = new Asks();
  private readonly waits = new Waits();
  private readonly outcomes: Outcomes;
  private readonly bodies: StepBodies;
  private optional: { ask: Ask; record: StepRecord }[] = [];
  private turnScheduled = false;
  private suspending = false;
  private closed = false;
  private timer?: Timer;

  constructor(
    private readonly execution: ClaimedExecution,
    private readonly recorded: RecordedOutcomes,
    /** What to store with the first write. */
    unsaved: RecordWrite[],
    private readonly ports: JournalPorts,
    private readonly journal: Pick<JournalPorts, 'end'>,
    private readonly clock: Clock,
  ) {
    this.outcomes = new Outcomes(this.asks, ports, this, recorded.lastSeq + 1, unsaved);
    this.bodies = new StepBodies(execution, ports, this.outcomes, this.waits, this, clock);
  }

  /** Whether any body has failed: a failed attempt then has something to forget. */
  get anyFailed(): boolean {
    return this.bodies.anyFailed;
  }

  /** The write that is in flight, if one is. Never rejects. */
  get writing(): Promise<void> | undefined {
    return this.outcomes.writing;
  }

  /** @param record of this call, if it has one
   *  @returns what the handler gets */
  add(ask: Ask, record: StepRecord | undefined): Promise<unknown> {
    const reply = this.asks.add(ask);
    if (record === undefined) this.begin(ask);
    else if (record.seq === undefined) this.waits.add(ask);
    else if (record.optional) this.optional.push({ ask, record });
    this.changed();
    return reply;
  }

  /** Whether the handler waits for something else than what comes next. */
  get awaitsTheUnasked(): boolean {
    const { next } = this.recorded;
    // with nothing asked for, user code of its own is at work; what is asked for may itself be recorded, further on
    return next !== undefined && !this.asks.has(next.name) && !this.busy && !this.asks.none;
  }

  /** What is wrong with that. */
  unasked(): DivergenceError {
    return new Divergences(this.execution, this.recorded).unasked(this.asks.pending()[0]);
  }

  /** Nothing is delivered, started or stored from now on. */
  close(): void {
    this.closed = true;
    this.clock.stopTimer(this.timer);
    this.outcomes.close();
    this.waits.clear();
    this.bodies.close();
    this.optional = [];
  }

  // what those at work tell

  goesOn(): boolean {
    return !this.closed;
  }

  lost(): void {
    this.journal.end({ type: 'lost' });
  }

  uncommitted(ask: Ask, error: unknown): void {
    this.bodies.failed(ask, error);
  }

  dropWait(ask: Ask): boolean {
    return this.waits.drop(ask);
  }

  changed(): void {
    if (this.turnScheduled || this.closed) return;
    this.turnScheduled = true;
    afterDrain(() => {
      this.turnScheduled = false;
      this.turn();
    });
  }

  private begin(ask: Ask): void {
    if (ask.kind === 'sleep') this.waits.add(ask);
    else if (ask.kind === 'patch') this.outcomes.patched(ask);
    else this.bodies.add(ask);
  }

  /** One delivery at most, then the microtask queue drains before the next. */
  private turn(): void {
    if (this.closed || this.suspending) return;
    this.clock.stopTimer(this.timer);
    const next = this.recorded.next;
    if (next !== undefined) {
      const ask = this.asks.get(next.name);
      if (ask === undefined) return this.awaitTheUnasked();
      this.recorded.advance();
      return this.deliver(() => this.outcomes.recorded(ask, next));
    }
    if (this.optional.length > 0) return this.seeAgain();
    const delivery = this.outcomes.next();
    if (delivery !== undefined) return this.deliver(delivery);
    const cancelled = this.ports.cancelled();
    if (cancelled !== undefined && this.refuseAll(cancelled)) return this.changed();
    const over = this.waits.takeDue(this.clock.now());
    if (over !== undefined) return this.waitOver(over);
    if (this.bodies.first !== undefined && !this.ports.stopping()) {
      if (this.ports.outlivedLease()) return this.lost();
      this.bodies.start();
    }
    this.rest();
  }

  private deliver(delivery: () => void): void {
    this.clock.reach?.('before-delivery');
    delivery();
    this.changed();
  }

  /** Those of an earlier attempt, in the order in which that one saw them. */
  private seeAgain(): void {
    const { ask, record } = this.optional.reduce((a, b) => (b.record.seq! < a.record.seq! ? b : a));
    this.optional = this.optional.filter((other) => other.ask !== ask);
    this.outcomes.again(ask, record);
    this.changed();
  }

  /** The execution shall end: what has no record is not begun, and no longer waited for. Bodies at work come to their end.
   *  @returns whether there was anything */
  private refuseAll(error: Error): boolean {
    const refused = [...this.waits.clear(), ...this.bodies.takeBack()];
    for (const ask of refused) this.outcomes.refused(ask, error);
    return refused.length > 0;
  }

  private waitOver(ask: Ask): void {
    if (ask.kind === 'step') this.bodies.add(ask);
    else this.outcomes.awake(ask);
    this.changed();
  }

  /** A recorded outcome has not been asked for. A step that was renamed must block here, before its body runs again. */
  private awaitTheUnasked(): void {
    if (!this.awaitsTheUnasked) return;
    this.timer = this.clock.startTimer(DIVERGENCE_MS, () => {
      if (this.closed || !this.awaitsTheUnasked) return;
      this.journal.end({ type: 'diverged', error: this.unasked() });
    });
  }

  private get busy(): boolean {
    return this.bodies.inFlight > 0 || !this.outcomes.idle;
  }

  /** Nothing can be delivered or started now: may the activation be dropped? */
  private rest(): void {
    if (this.bodies.inFlight > 0) return this.liveWaits();
    if (this.busy) return;
    if (this.bodies.first === undefined && this.waits.size === 0) return; // user code of its own is at work
    const before = this.asks.activity;
    // the handler may be about to ask for more: its microtasks are over, give it one macrotask
    afterMacrotask(() => {
      if (
        this.closed ||
        this.suspending ||
        this.turnScheduled ||
        this.asks.activity !== before ||
        this.busy
      )
        return;
      if (this.recorded.next !== undefined) return;
      if (this.bodies.first !== undefined) return this.journal.end({ type: 'released' });
      void this.suspend();
    });
  }

  /** While a body runs, waits go on beside it: they are stored and watched by a local timer. */
  private liveWaits(): void {
    if (this.waits.size === 0) return;
    this.outcomes.store(this.waits.takeUnsaved(this.clock.now()));
    const due = this.waits.nextDue;
    if (due !== undefined)
      this.timer = this.clock.startTimer(due - this.clock.now(), () => this.changed());
  }

  private async suspend(): Promise<void> {
    this.suspending = true;
    const reply = await this.ports.suspend([
      ...this.outcomes.takeUnsaved(),
      ...this.waits.records(this.clock.now()),
    ]);
    this.suspending = false;
    if (this.closed) return;
    if (reply.type === 'lost') return this.lost();
    if (reply.type === 'refused') return this.journal.end({ type: 'refused', error: reply.error });
    if (reply.type === 'parked') return this.journal.end({ type: 'suspended' });
    if (reply.type === 'decided') this.waits.decide(reply.names);
    this.changed();
  }
}
