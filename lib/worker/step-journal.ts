import type { EntityManager } from 'typeorm';
import { afterDrain, afterMacrotask } from '../common/after-drain.js';
import type { Clock, Timer } from '../common/clock.js';
import type { DivergenceError } from '../errors/divergence.error.js';
import { DuplicateStepError } from '../errors/duplicate-step.error.js';
import { ExecutionClosedError } from '../errors/execution-closed.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { StepLimitError } from '../errors/step-limit.error.js';
import type { ClaimedExecution } from '../execution/claimed-execution.js';
import type { ActiveExecution, StepCall } from '../execution/current-execution.js';
import { MAX_RECORDS, type RecordWrite, type StepRecord } from '../execution/step-record.js';
import type { StepOptions } from '../interfaces/step-options.js';
import type { Ask } from './ask.js';
import { Asks } from './asks.js';
import { Divergences } from './divergences.js';
import type { JournalEnd, JournalPorts } from './journal-ports.js';
import { Outcomes } from './outcomes.js';
import { RecordedOutcomes } from './recorded-outcomes.js';
import { StepBodies } from './step-bodies.js';
import { StepNumbering } from './step-numbering.js';
import { Waits } from './waits.js';

/** How long a recorded outcome may go unasked while the handler is idle. */
const DIVERGENCE_MS = 10_000;

/** `refused`: the handler may still run, but its attempt is over. */
type State = 'open' | 'suspended' | 'ended' | 'refused';

/** One activation's steps and waits: gives recorded outcomes back in the order in which they were seen, starts bodies that
 *  have no record, stores what they return, and decides when the activation may be dropped.
 *
 *  Outcomes are delivered one per drained microtask queue. Resolving memoized promises at once instead exchanged results of
 *  parallel branches silently in 280 of 600 random runs. */
export class StepJournal implements ActiveExecution {
  private readonly recorded: RecordedOutcomes;
  private numbering?: StepNumbering;
  private readonly outcomes: Outcomes;
  private readonly waits = new Waits();
  private readonly asks = new Asks();
  private readonly bodies: StepBodies;
  private state: State = 'open';
  private refusal?: Error;
  private pumpScheduled = false;
  private suspending = false;
  private optional: { ask: Ask; record: StepRecord }[] = [];
  private records: number;
  private timer?: Timer;

  constructor(
    private readonly execution: ClaimedExecution,
    private readonly ports: JournalPorts,
    private readonly clock: Clock,
    /** By the local monotonic clock. */
    private readonly claimedAt: number,
    /** What to store with the first write. */
    unsaved: RecordWrite[] = [],
  ) {
    this.recorded = new RecordedOutcomes(execution.records);
    this.records = this.recorded.size;
    this.bodies = new StepBodies(
      clock,
      {
        transaction: () => this.ports.transaction(),
        succeeded: (ask, value, transaction) => this.outcomes.result(ask, value, transaction),
        failed: (ask, stored, seen) => this.outcomes.error(ask, stored, seen),
        later: (ask) => this.waits.add(ask),
        interrupted: () => this.ports.interrupted(),
        changed: () => this.schedulePump(),
      },
      { executionId: execution.id, taskName: execution.task.name },
    );
    this.outcomes = new Outcomes(
      this.asks,
      {
        save: (records) => this.ports.save(records),
        goOn: () => this.state === 'open',
        lost: () => this.lose(),
        uncommitted: (ask, error) => this.bodies.failed(ask, error),
        changed: () => this.schedulePump(),
      },
      this.recorded.lastSeq + 1,
      unsaved,
    );
  }

  /** Whether a failed attempt has something to forget. */
  get mayForget(): boolean {
    return this.bodies.anyFailed || this.recorded.hasStepErrors;
  }

  /** The error as it was thrown: a handler sees errors in their stored form, the same on the first run as on a replay. */
  original(error: unknown): unknown {
    return this.bodies.original(error);
  }

  step<T>(name: string, body: () => Promise<T> | T, options?: StepOptions): Promise<T> {
    return this.askForStep(name, body, options, false) as Promise<T>;
  }

  transaction<T>(
    name: string,
    body: (em: EntityManager) => Promise<T> | T,
    options?: StepOptions,
  ): Promise<T> {
    return this.askForStep(name, (em) => body(em!), options, true) as Promise<T>;
  }

  sleep(name: string, durationMs: number): Promise<void> {
    return this.ask({
      name,
      kind: 'sleep',
      alone: true,
      tries: 0,
      due: this.clock.now() + durationMs,
    }) as Promise<void>;
  }

  sleepUntil(name: string, epochMs: number): Promise<void> {
    const sinceClaim = this.clock.now() - this.claimedAt;
    return this.sleep(name, epochMs - (this.execution.claimedAt + sinceClaim));
  }

  callStep(call: StepCall): Promise<unknown> {
    const alone = this.asks.none;
    this.numbering ??= new StepNumbering(this.recorded, (name) => this.asks.has(name));
    const numbered =
      this.state === 'open' ? this.numbering.number(call, alone) : { name: call.name, alone };
    if (numbered === undefined) return this.diverge(this.divergences.ambiguous(call.name));
    return this.ask({
      ...numbered,
      kind: 'step',
      body: call.body,
      options: call.options,
      transactional: call.transactional,
      tries: 0,
    });
  }

  /** The write that is in flight, if one is. Once the handler has ended it is the last one. Never rejects. */
  get writing(): Promise<void> | undefined {
    return this.outcomes.writing;
  }

  /** The handler ended, in whatever way.
   *  @returns what is wrong if it has *returned*: it should have asked for what was recorded */
  handlerEnded(): DivergenceError | undefined {
    const unasked = this.recorded.remaining.filter((record) => !this.asks.has(record.name));
    if (this.state === 'open') this.close('ended');
    return unasked.length > 0 ? this.divergences.endedEarly(unasked) : undefined;
  }

  /** Another attempt is authorised, or soon may be: nothing of this one is written from now on. */
  lose(): void {
    if (this.state !== 'open') return;
    this.refuse(new LeaseLostError(this.execution.id));
    this.ports.end({ type: 'lost' });
  }

  /** The attempt is over while its handler still runs: what it asks, or is still waiting for, is refused with this error. */
  refuse(error: Error): void {
    if (this.state !== 'open') return;
    const pending = this.asks.pending();
    this.refusal = error;
    this.close('refused');
    for (const { reply } of pending) {
      reply?.promise.catch(() => undefined); // nobody may be waiting for it yet
      reply?.reject(error);
    }
  }

  /** The attempt's time is over. A handler that waits without asking for what was recorded would never have ended: that it no longer fits
   *  is why, and trying again would not help. */
  expire(error: Error): void {
    if (this.state !== 'open' || !this.awaitsTheUnasked) return this.refuse(error);
    void this.diverge(this.divergences.unasked(this.asks.pending()[0]));
  }

  /** The worker is shutting down: look whether this activation stands at a step boundary. */
  nudge(): void {
    this.schedulePump();
  }

  private askForStep(
    name: string,
    body: Ask['body'],
    options: StepOptions | undefined,
    transactional: boolean,
  ): Promise<unknown> {
    const { none: alone } = this.asks;
    return this.ask({ name, kind: 'step', body, transactional, options, alone, tries: 0 });
  }

  private ask(ask: Ask): Promise<unknown> {
    if (this.state === 'ended')
      return Promise.reject(new ExecutionClosedError(this.execution.id, ask.name));
    if (this.state === 'refused') return Promise.reject(this.refusal!);
    if (this.state === 'suspended') {
      this.ports.lateCall(ask.name);
      return new Promise(() => undefined);
    }
    if (this.asks.has(ask.name)) return Promise.reject(new DuplicateStepError(ask.name));
    const record = this.recorded.get(ask.name);
    if (record !== undefined && record.kind !== ask.kind)
      return this.diverge(this.divergences.otherKind(record, ask));
    if (record === undefined && ++this.records > MAX_RECORDS)
      return Promise.reject(new StepLimitError(ask.name, MAX_RECORDS));
    const reply = this.asks.add(ask);
    if (record === undefined) this.begin(ask);
    else if (record.seq === undefined) this.goOn(ask, record);
    else if (record.optional) this.optional.push({ ask, record });
    this.schedulePump();
    return reply;
  }

  private begin(ask: Ask): void {
    if (ask.kind === 'step') this.bodies.add(ask);
    else this.waits.add(ask);
  }

  /** A wait, or a step between two tries, that was stored but has not been seen. */
  private goOn(ask: Ask, record: StepRecord): void {
    ask.due = this.claimedAt + (record.dueInMs ?? 0);
    ask.tries = record.tries;
    ask.saved = true;
    this.waits.add(ask);
  }

  private schedulePump(): void {
    if (this.pumpScheduled || this.state !== 'open') return;
    this.pumpScheduled = true;
    afterDrain(() => {
      this.pumpScheduled = false;
      this.pump();
    });
  }

  /** One delivery at most, then the microtask queue drains before the next. */
  private pump(): void {
    if (this.state !== 'open' || this.suspending) return;
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
    const over = this.waits.takeDue(this.clock.now());
    if (over !== undefined) return this.waitOver(over);
    if (!this.ports.stopping()) this.bodies.start();
    this.rest();
  }

  private get divergences(): Divergences {
    return new Divergences(this.execution, this.recorded);
  }

  private deliver(delivery: () => void): void {
    this.clock.reach?.('before-delivery');
    delivery();
    this.schedulePump();
  }

  /** Those of an earlier attempt, in the order in which that one saw them. */
  private seeAgain(): void {
    const { ask, record } = this.optional.reduce((a, b) => (b.record.seq! < a.record.seq! ? b : a));
    this.optional = this.optional.filter((other) => other.ask !== ask);
    this.outcomes.again(ask, record);
    this.schedulePump();
  }

  private waitOver(ask: Ask): void {
    if (ask.kind === 'step') this.bodies.add(ask);
    else this.outcomes.awake(ask);
    this.schedulePump();
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
        this.state !== 'open' ||
        this.suspending ||
        this.pumpScheduled ||
        this.asks.activity !== before ||
        this.busy
      )
        return;
      if (this.recorded.next !== undefined) return;
      if (this.bodies.first !== undefined) return this.finish({ type: 'released' });
      void this.suspend();
    });
  }

  /** While a body runs, waits go on beside it: they are stored and watched by a local timer. */
  private liveWaits(): void {
    if (this.waits.size === 0) return;
    this.outcomes.store(this.waits.takeUnsaved(this.clock.now()));
    const due = this.waits.nextDue;
    if (due !== undefined)
      this.timer = this.clock.startTimer(due - this.clock.now(), () => this.schedulePump());
  }

  private async suspend(): Promise<void> {
    this.suspending = true;
    const reply = await this.ports.suspend([
      ...this.outcomes.takeUnsaved(),
      ...this.waits.records(this.clock.now()),
    ]);
    this.suspending = false;
    if (this.state !== 'open') return;
    if (reply.type === 'lost') return this.lose();
    if (reply.type === 'refused') return this.finish({ type: 'refused', error: reply.error });
    if (reply.type === 'parked') return this.finish({ type: 'suspended' });
    this.waits.decide(reply.names);
    this.schedulePump();
  }

  /** A recorded outcome has not been asked for. A step that was renamed must block here, before its body runs again. */
  private awaitTheUnasked(): void {
    if (!this.awaitsTheUnasked) return;
    this.timer = this.clock.startTimer(DIVERGENCE_MS, () => {
      if (this.state !== 'open' || !this.awaitsTheUnasked) return;
      void this.diverge(this.divergences.unasked(this.asks.pending()[0]));
    });
  }

  private get awaitsTheUnasked(): boolean {
    const { next } = this.recorded;
    // with nothing asked for, user code of its own is at work; what is asked for may itself be recorded, further on
    return next !== undefined && !this.asks.has(next.name) && !this.busy && !this.asks.none;
  }

  private diverge(error: DivergenceError): Promise<never> {
    this.finish({ type: 'diverged', error });
    return new Promise(() => undefined);
  }

  /** Drops the activation: its pending calls never settle, so the handler's catch and finally never see it. */
  private finish(end: JournalEnd): void {
    if (this.state !== 'open') return;
    this.close('suspended');
    this.ports.end(end);
  }

  private close(state: State): void {
    this.state = state;
    this.clock.stopTimer(this.timer);
    this.outcomes.close();
    this.waits.clear();
    this.bodies.close();
    this.optional = [];
  }
}
