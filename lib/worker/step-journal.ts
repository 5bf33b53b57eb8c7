import type { EntityManager } from 'typeorm';
import { v4 as randomUuid } from 'uuid';
import type { Clock } from '../common/clock.js';
import type { DivergenceError } from '../errors/divergence.error.js';
import { DuplicateStepError } from '../errors/duplicate-step.error.js';
import { ExecutionClosedError } from '../errors/execution-closed.error.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import { StepLimitError } from '../errors/step-limit.error.js';
import type { ClaimedExecution } from '../execution/claimed-execution.js';
import type { ActiveExecution, StepCall } from '../execution/current-execution.js';
import { MAX_RECORDS, type DrawnValue, type RecordWrite } from '../execution/step-record.js';
import type { StepOptions } from '../interfaces/step-options.js';
import { takeUp, type Ask } from './ask.js';
import { Divergences } from './divergences.js';
import type { JournalEnd, JournalPorts } from './journal-ports.js';
import { RecordedOutcomes } from './recorded-outcomes.js';
import { Replay } from './replay.js';
import { originalError } from './step-bodies.js';
import { StepNumbering } from './step-numbering.js';

/** `refused`: the handler may still run, but its attempt is over. */
type State = 'open' | 'suspended' | 'ended' | 'refused';

/** What one activation's handler asks for, steps and waits, as long as it may: finds the record that each call belongs to, and refuses
 *  what cannot be. `Replay` answers them. */
export class StepJournal implements ActiveExecution {
  private readonly recorded: RecordedOutcomes;
  private records: number;
  private state: State = 'open';
  private refusal?: Error;
  private numbering?: StepNumbering;
  private patches?: Map<string, Promise<boolean>>;
  private draws?: Map<DrawnValue, number>;
  private readonly replay: Replay;

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
    this.replay = new Replay(execution, this.recorded, unsaved, ports, this, clock);
  }

  // what the handler asks

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
    return this.wait(name, durationMs);
  }

  private wait(name: string, durationMs: number, fingerprint?: string): Promise<void> {
    return this.ask({
      name,
      kind: 'sleep',
      fingerprint,
      alone: true,
      tries: 0,
      due: this.clock.now() + durationMs,
    }) as Promise<void>;
  }

  sleepUntil(name: string, epochMs: number): Promise<void> {
    // the instant marks the record: a retry moves what is left of a duration, and leaves an instant where it is
    return this.wait(name, epochMs - this.epochMs(), Math.trunc(epochMs).toString());
  }

  /** The handler may show it to the outside at once, and a failed attempt writes nothing: so it is stored before it is seen, as a
   *  step's result is. */
  draw(what: DrawnValue): Promise<unknown> {
    const n = (this.draws?.get(what) ?? 0) + 1;
    (this.draws ??= new Map()).set(what, n);
    const name = n === 1 ? `ctx.${what}` : `ctx.${what}#${n}`;
    const alone = this.replay.asks.none;
    const body = () => this.drawn(what);
    return this.ask({ name, kind: 'value', body, alone, tries: 0 });
  }

  /** Where the record went on without it, nothing is written, and no outcome that is delivered changes its place: code that did not ask
   *  recorded what it has by the same turns. Records only grow within an attempt, so the answer stays. */
  patched(id: string): Promise<boolean> {
    const before = this.patches?.get(id);
    if (before !== undefined && this.state === 'open') return before;
    const name = `ctx.patched:${id}`;
    const isOld =
      this.state === 'open' &&
      this.recorded.get(name) === undefined &&
      this.recorded.wentOn((other) => this.replay.asks.has(other));
    const answer = isOld
      ? Promise.resolve(false)
      : (this.ask({
          name,
          kind: 'patch',
          alone: this.replay.asks.none,
          tries: 0,
        }) as Promise<boolean>);
    (this.patches ??= new Map()).set(id, answer);
    return answer;
  }

  /** A new one, of which nothing is recorded. */
  drawn(what: DrawnValue): unknown {
    switch (what) {
      case 'now':
        return new Date(this.epochMs());
      case 'uuid':
        return randomUuid();
      case 'random':
        return this.clock.random();
    }
  }

  /** By the database's clock, as far as this process can tell without asking. */
  private epochMs(): number {
    return this.execution.claimedAt + this.clock.now() - this.claimedAt;
  }

  callStep(call: StepCall): Promise<unknown> {
    const alone = this.replay.asks.none;
    this.numbering ??= new StepNumbering(this.recorded, (name) => this.replay.asks.has(name));
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

  private askForStep(
    name: string,
    body: Ask['body'],
    options: StepOptions | undefined,
    transactional: boolean,
  ): Promise<unknown> {
    const alone = this.replay.asks.none;
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
    if (this.replay.asks.has(ask.name)) return Promise.reject(new DuplicateStepError(ask.name));
    const record = this.recorded.get(ask.name);
    if (record !== undefined && record.kind !== ask.kind)
      return this.diverge(this.divergences.otherKind(record, ask));
    if (record === undefined && ++this.records > MAX_RECORDS)
      return Promise.reject(new StepLimitError(ask.name, MAX_RECORDS));
    if (record !== undefined && record.seq === undefined) takeUp(ask, record, this.claimedAt);
    return this.replay.add(ask, record);
  }

  // how it ends

  /** The handler ended, in whatever way.
   *  @returns what is wrong if it has *returned*: it should have asked for what was recorded */
  handlerEnded(): DivergenceError | undefined {
    const unasked = this.recorded.remaining.filter(({ name }) => !this.replay.asks.has(name));
    if (this.state === 'open') this.close('ended');
    return unasked.length > 0 ? this.divergences.endedEarly(unasked) : undefined;
  }

  /** Another attempt is authorised, or soon may be: nothing of this one is written from now on. */
  private lose(): void {
    if (this.state !== 'open') return;
    this.refuse(new LeaseLostError(this.execution.id));
    this.ports.end({ type: 'lost' });
  }

  /** The attempt is over while its handler still runs: what it asks, or is still waiting for, is refused with this error. */
  refuse(error: Error): void {
    if (this.state !== 'open') return;
    const pending = this.replay.asks.pending();
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
    if (!this.replay.awaitsTheUnasked) return this.refuse(error);
    void this.diverge(this.replay.unasked());
  }

  /** Drops the activation, unless it was lost: its pending calls never settle, so the handler's catch and finally never see it. */
  end(end: JournalEnd): void {
    if (end.type === 'lost') return this.lose();
    if (this.state !== 'open') return;
    this.close('suspended');
    this.ports.end(end);
  }

  private diverge(error: DivergenceError): Promise<never> {
    this.end({ type: 'diverged', error });
    return new Promise(() => undefined);
  }

  private close(state: State): void {
    this.state = state;
    this.replay.close();
  }

  private get divergences(): Divergences {
    return new Divergences(this.execution, this.recorded);
  }

  // what the attempt wants to know

  /** Whether a failed attempt has something to forget. */
  get mayForget(): boolean {
    return this.replay.anyFailed || this.recorded.hasStepErrors;
  }

  /** The error as it was thrown: a handler sees errors in their stored form, the same on the first run as on a replay. */
  original(error: unknown): unknown {
    return originalError(error);
  }

  /** The write that is in flight, if one is. Once the handler has ended it is the last one. Never rejects. */
  get writing(): Promise<void> | undefined {
    return this.replay.writing;
  }

  /** The worker is shutting down, or the execution shall end: look whether this activation stands at a step boundary. */
  nudge(): void {
    this.replay.changed();
  }
}
