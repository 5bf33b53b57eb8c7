import type { EntityManager } from 'typeorm';
import { afterDrain, afterMacrotask } from '../common/after-drain.js';
import type { Clock, Timer } from '../common/clock.js';
import { deferred } from '../common/deferred.js';
import { DivergenceError } from '../errors/divergence.error.js';
import { DuplicateStepError } from '../errors/duplicate-step.error.js';
import { ExecutionClosedError } from '../errors/execution-closed.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { StepLimitError } from '../errors/step-limit.error.js';
import type { ClaimedExecution } from '../execution/claimed-execution.js';
import { decode, decodeParsed } from '../execution/codec.js';
import type { ActiveExecution, StepCall } from '../execution/current-execution.js';
import { deserializeError, type SerializedError } from '../execution/serialized-error.js';
import { MAX_RECORDS, type RecordWrite, type StepRecord } from '../execution/step-record.js';
import type { StepOptions } from '../interfaces/step-options.js';
import type { StepTransaction } from '../persistence/step-transaction.js';
import type { Ask } from './ask.js';
import type { JournalEnd, JournalPorts, SuspendReply } from './journal-ports.js';
import { Outbox, type OutboxEntry } from './outbox.js';
import { RecordedOutcomes } from './recorded-outcomes.js';
import { StepBodies } from './step-bodies.js';
import { StepNumbering } from './step-numbering.js';
import { WaitList } from './wait-list.js';

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
  private readonly numbering: StepNumbering;
  private readonly outbox: Outbox;
  private readonly waits = new WaitList();
  private readonly asks = new Map<string, Ask>();
  private readonly bodies: StepBodies;
  private state: State = 'open';
  private refusal?: Error;
  private pumpScheduled = false;
  private suspending = false;
  private optional: { ask: Ask; record: StepRecord }[] = [];
  private fresh: (() => void)[] = [];
  private unanswered = 0;
  private sole?: Ask;
  private activity = 0;
  private places: number;
  private timer?: Timer;
  private readonly claimedAt: number;

  constructor(
    private readonly execution: ClaimedExecution,
    private readonly ports: JournalPorts,
    private readonly clock: Clock,
    /** What to store with the first write. */
    unsaved: RecordWrite[] = [],
  ) {
    this.claimedAt = clock.now();
    this.recorded = new RecordedOutcomes(execution.records);
    this.places = this.recorded.places;
    this.numbering = new StepNumbering(this.recorded, (name) => this.asks.has(name));
    this.bodies = new StepBodies(
      clock,
      {
        transaction: ports.transaction,
        succeeded: (ask, value, transaction) => this.keepResult(ask, value, transaction),
        failed: (ask, stored, seen) => this.observeError(ask, stored, seen),
        later: (ask) => this.waits.add(ask),
        interrupted: () => this.ports.interrupted(),
        changed: () => this.schedulePump(),
      },
      { executionId: execution.id, taskName: execution.task.name },
    );
    this.outbox = new Outbox(
      this.recorded.lastSeq + 1,
      unsaved,
      (records) => this.save(records),
      (error, entries) => this.writeFailed(error, entries),
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

  step<T>(name: string, body: () => Promise<T> | T, options: StepOptions = {}): Promise<T> {
    return this.askForStep({ name, body, options }) as Promise<T>;
  }

  transaction<T>(
    name: string,
    body: (em: EntityManager) => Promise<T> | T,
    options: StepOptions = {},
  ): Promise<T> {
    return this.askForStep({
      name,
      body: (transaction) => body(transaction!),
      options,
      transactional: true,
    }) as Promise<T>;
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
    const alone = this.unanswered === 0;
    const numbered =
      this.state === 'open' ? this.numbering.number(call, alone) : { name: call.name, alone };
    if (numbered === undefined) {
      return this.diverge(
        `Several calls of ${call.name} run side by side, and the record does not tell which is which: give @Step a key`,
        { name: call.name, kind: 'step' },
      );
    }
    return this.ask({
      ...numbered,
      kind: 'step',
      body: call.body,
      options: call.options,
      transactional: call.transactional,
      tries: 0,
    });
  }

  /** The handler ended, in whatever way. Resolves when no write is in flight any more.
   *  @returns the records that a handler that *returned* should have asked for. */
  async handlerEnded(): Promise<StepRecord[]> {
    const unasked = this.recorded.remaining.filter((record) => !this.asks.has(record.name));
    if (this.state === 'open') this.close('ended');
    await this.outbox.quiet();
    return unasked;
  }

  divergence(
    reason: string,
    expected: StepRecord[],
    found?: { name: string; kind: Ask['kind'] },
  ): DivergenceError {
    return new DivergenceError(this.execution.id, this.execution.task.name, {
      expected: expected.map(({ name, kind }) => ({ name, kind })),
      ...(found && { found }),
      reason,
    });
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
    const pending = [...this.asks.values()].filter((ask) => !ask.answered);
    this.refusal = error;
    this.close('refused');
    for (const { reply } of pending) {
      reply?.promise.catch(() => undefined); // nobody may be waiting for it yet
      reply?.reject(error);
    }
  }

  /** The worker is shutting down: look whether this activation stands at a step boundary. */
  nudge(): void {
    this.schedulePump();
  }

  private askForStep(
    ask: Pick<Ask, 'name' | 'body' | 'options' | 'transactional'>,
  ): Promise<unknown> {
    return this.ask({ ...ask, kind: 'step', alone: this.unanswered === 0, tries: 0 });
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
    if (record !== undefined && record.kind !== ask.kind) {
      return this.diverge(
        `The record has a ${record.kind} under the name "${ask.name}", the handler asked for a ${ask.kind}`,
        ask,
      );
    }
    if (record === undefined && ++this.places > MAX_RECORDS)
      return Promise.reject(new StepLimitError(ask.name, MAX_RECORDS));
    // alone is what nothing was asked beside, from the call to its outcome
    if (this.unanswered > 0 && this.sole !== undefined) this.sole.alone = false;
    this.sole = this.unanswered === 0 ? ask : undefined;
    ask.reply = deferred<unknown>();
    this.asks.set(ask.name, ask);
    this.activity += 1;
    this.unanswered += 1;
    if (record === undefined) this.begin(ask);
    else if (record.seq === undefined) this.goOn(ask, record);
    else if (record.optional) this.optional.push({ ask, record });
    this.schedulePump();
    return ask.reply.promise;
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
      return this.deliver(() => this.deliverRecord(ask, next));
    }
    if (this.optional.length > 0) return this.seeAgain();
    const fresh = this.fresh.shift();
    if (fresh !== undefined) return this.deliver(fresh);
    const over = this.waits.takeDue(this.clock.now());
    if (over !== undefined) return this.waitOver(over);
    if (!this.ports.stopping()) this.bodies.start();
    this.rest();
  }

  private deliver(delivery: () => void): void {
    this.clock.reach?.('before-delivery');
    delivery();
    this.schedulePump();
  }

  private deliverRecord(ask: Ask, record: StepRecord): void {
    if (record.status === 'failed')
      this.answer(ask, (reply) => reply.reject(deserializeError(record.value as SerializedError)));
    else
      this.answer(ask, (reply) =>
        reply.resolve(record.kind === 'step' ? decodeParsed(record.value) : undefined),
      );
  }

  /** An earlier attempt saw it after an error that is forgotten. This attempt sees it in a place of its own, which a replay has
   *  to keep: delivered whenever it was asked for, it overtook what this attempt had recorded. */
  private seeAgain(): void {
    const { ask, record } = this.optional.reduce((a, b) => (b.record.seq! < a.record.seq! ? b : a));
    this.optional = this.optional.filter((other) => other.ask !== ask);
    this.outbox.push({
      record: { ...recordOf(ask), status: record.status },
      durable: false,
      deliver: () => this.fresh.push(() => this.deliverRecord(ask, record)),
    });
    this.schedulePump();
  }

  private answer(ask: Ask, give: (reply: NonNullable<Ask['reply']>) => void): void {
    ask.answered = true;
    this.unanswered -= 1;
    this.activity += 1;
    give(ask.reply!);
  }

  private waitOver(ask: Ask): void {
    if (ask.kind === 'step') {
      this.bodies.add(ask);
    } else {
      this.outbox.push({
        record: { name: ask.name, kind: ask.kind, status: 'completed', alone: true, tries: 0 },
        durable: false,
        deliver: () => this.fresh.push(() => this.answer(ask, (reply) => reply.resolve(undefined))),
      });
    }
    this.schedulePump();
  }

  private keepResult(ask: Ask, value: string, transaction?: StepTransaction): void {
    this.outbox.push({
      record: { ...recordOf(ask), status: 'completed', value },
      durable: true,
      commit: transaction && ((records) => this.commit(transaction, records)),
      dropped: () => void transaction?.rollback(),
      // decoded also on the first run: what a handler compares must be the same on a replay
      deliver: () =>
        this.fresh.push(() => this.answer(ask, (reply) => reply.resolve(decode(value)))),
    });
  }

  private observeError(ask: Ask, stored: string, seen: Error): void {
    this.outbox.push({
      record: { ...recordOf(ask), status: 'failed', value: stored },
      durable: false,
      deliver: () => this.fresh.push(() => this.answer(ask, (reply) => reply.reject(seen))),
    });
  }

  private async save(records: RecordWrite[]): Promise<void> {
    try {
      await this.ports.save(records);
    } finally {
      this.schedulePump();
    }
  }

  private async commit(transaction: StepTransaction, records: RecordWrite[]): Promise<void> {
    try {
      await transaction.commit(records, () => this.state === 'open');
    } finally {
      this.schedulePump();
    }
  }

  private writeFailed(error: unknown, entries: OutboxEntry[]): void {
    if (this.state !== 'open') return;
    if (error instanceof LeaseLostError) return this.lose();
    for (const { record } of entries) {
      const ask = this.asks.get(record.name);
      if (ask === undefined || ask.answered) continue;
      if (ask.transactional) this.bodies.failed(ask, error);
      else this.fresh.push(() => this.answer(ask, (reply) => reply.reject(error)));
    }
  }

  private get busy(): boolean {
    return this.bodies.inFlight > 0 || !this.outbox.idle || this.fresh.length > 0;
  }

  /** Nothing can be delivered or started now: may the activation be dropped? */
  private rest(): void {
    if (this.bodies.inFlight > 0) return this.liveWaits();
    if (this.busy) return;
    if (this.bodies.first === undefined && this.waits.size === 0) return; // user code of its own is at work
    const before = this.activity;
    // the handler may be about to ask for more: its microtasks are over, give it one macrotask
    afterMacrotask(() => {
      if (
        this.state !== 'open' ||
        this.suspending ||
        this.pumpScheduled ||
        this.activity !== before ||
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
    for (const ask of this.waits.unsaved()) {
      ask.saved = true;
      const record = {
        ...recordOf(ask),
        status: 'open' as const,
        dueInMs: ask.due! - this.clock.now(),
      };
      this.outbox.push({ record, durable: true, deliver: () => undefined });
    }
    const due = this.waits.nextDue;
    if (due !== undefined)
      this.timer = this.clock.startTimer(due - this.clock.now(), () => this.schedulePump());
  }

  private async suspend(): Promise<void> {
    this.suspending = true;
    const now = this.clock.now();
    const waits = this.waits
      .all()
      .map((ask) => ({ ...recordOf(ask), status: 'open' as const, dueInMs: ask.due! - now }));
    let reply: SuspendReply;
    try {
      reply = await this.ports.suspend([...this.outbox.takeUnsaved(), ...waits]);
    } catch {
      reply = { type: 'lost' };
    }
    this.suspending = false;
    if (this.state !== 'open') return;
    if (reply.type === 'lost') return this.lose();
    if (reply.type === 'parked') return this.finish({ type: 'suspended' });
    this.waits.decide(reply.names);
    this.schedulePump();
  }

  /** A recorded outcome has not been asked for. A step that was renamed must block here, before its body runs again. */
  private awaitTheUnasked(): void {
    // with nothing asked for, user code of its own is at work; what is asked for may itself be recorded, further on
    if (this.busy || this.unanswered === 0) return;
    this.timer = this.clock.startTimer(DIVERGENCE_MS, () => {
      if (
        this.state !== 'open' ||
        this.recorded.next === undefined ||
        this.asks.has(this.recorded.next.name)
      )
        return;
      const found = [...this.asks.values()].find((ask) => !ask.answered);
      this.finish({
        type: 'diverged',
        error: this.divergence(
          found?.fingerprint === undefined
            ? 'The handler waits without asking for what was recorded'
            : 'The handler waits without asking for what was recorded. If an argument of a @Step has changed that is called side by side with others, give it a key',
          this.recorded.remaining,
          found,
        ),
      });
    });
  }

  private diverge(reason: string, found: { name: string; kind: Ask['kind'] }): Promise<never> {
    const record = this.recorded.get(found.name);
    const expected = record === undefined ? this.recorded.remaining : [record];
    this.finish({
      type: 'diverged',
      error: this.divergence(reason, expected, { name: found.name, kind: found.kind }),
    });
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
    this.outbox.close();
    this.waits.clear();
    this.bodies.close();
    this.fresh = [];
    this.optional = [];
  }
}

function recordOf({ name, kind, fingerprint, alone, tries }: Ask): Omit<RecordWrite, 'status'> {
  return { name, kind, fingerprint, alone, tries };
}
