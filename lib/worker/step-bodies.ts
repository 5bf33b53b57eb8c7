import { jittered, type Clock, type Timer } from '../common/clock.js';
import { parseDuration } from '../common/duration.js';
import { isThenable } from '../common/thenable.js';
import { NoTransactionsError } from '../errors/no-transactions.error.js';
import { StepTimeoutError } from '../errors/step-timeout.error.js';
import type { ClaimedExecution } from '../execution/claimed-execution.js';
import { encode } from '../execution/codec.js';
import {
  currentExecution,
  type ExecutionCell,
  type ExecutionOwner,
} from '../execution/current-execution.js';
import { delayBeforeRetry } from '../execution/judge.js';
import { retryPolicy } from '../execution/retry-policy.js';
import { deserializeError, serializeError } from '../execution/serialized-error.js';
import { FIRST_PAUSE_MS, LONGEST_PAUSE_MS } from '../persistence/statement.js';
import { transactionLost, type StepTransaction } from '../persistence/step-transaction.js';
import type { Ask } from './ask.js';
import type { JournalPorts } from './journal-ports.js';
import type { OutcomePorts, Outcomes } from './outcomes.js';
import type { Waits } from './waits.js';

/** A step's wait between two tries is held in the process up to this long; a longer one frees the worker. */
const HELD_RETRY_MS = 1_000;

/** A transactional body that is always cut off may itself be why. */
const MAX_LOST_TRANSACTIONS = 100;

/** The errors that bodies threw, by the form that the handler saw. Of all activations: a map of its own for each would cost more than the
 *  rest of what is made for it. */
const thrown = new WeakMap<object, unknown>();
/** By identity: `instanceof` throws for a revoked Proxy. */
const timeouts = new WeakSet<object>();

/** The error as a body threw it, for the form of it that the handler saw. */
export function originalError(error: unknown): unknown {
  return typeof error === 'object' && error !== null ? (thrown.get(error) ?? error) : error;
}

/** Runs the bodies of steps, and tries them again as their own policies say. */
export class StepBodies {
  private readonly owner: ExecutionOwner;
  private waiting: Ask[] = [];
  private running = 0;
  private closed = false;
  private timers?: Set<Timer>;
  /** Those whose body is at work. */
  private transactions?: Set<StepTransaction>;
  /** Whether any body has failed: a failed attempt then has something to forget. */
  anyFailed = false;

  constructor(
    { id, task }: ClaimedExecution,
    private readonly ports: Pick<JournalPorts, 'transaction' | 'interrupted' | 'cancelled'>,
    /** Where a body's result or error goes. */
    private readonly outcomes: Outcomes,
    /** Where one waits that is tried again later than this process should hold it. */
    private readonly waits: Waits,
    /** To be told when a body has failed, or may be started. */
    private readonly replay: Pick<OutcomePorts, 'changed'>,
    private readonly clock: Clock,
  ) {
    this.owner = { executionId: id, taskName: task.name };
  }

  /** Bodies that run, and held waits between two tries. */
  get inFlight(): number {
    return this.running;
  }

  /** The first body that waits to be started. */
  get first(): Ask | undefined {
    return this.waiting[0];
  }

  add(ask: Ask): void {
    this.waiting.push(ask);
  }

  start(): void {
    if (this.waiting.length === 0) return;
    for (const ask of this.waiting.splice(0)) void this.run(ask);
  }

  /** Those that wait are not started. */
  takeBack(): Ask[] {
    return this.waiting.splice(0);
  }

  /** Nothing that still runs matters any more. */
  close(): void {
    this.closed = true;
    this.waiting = [];
    for (const timer of this.timers ?? []) this.clock.stopTimer(timer);
    // or a body that waits for Postgres would keep its locks, and the app's pool from closing
    for (const transaction of this.transactions ?? []) transaction.abandon();
  }

  private async run(ask: Ask): Promise<void> {
    this.running += 1;
    let transaction: StepTransaction | undefined;
    try {
      if (ask.transactional) transaction = this.transactionFor(ask);
      this.clock.reach?.('before-body');
      const begun = this.begin(ask, transaction);
      const value = isThenable(begun) ? await begun : begun;
      this.clock.reach?.('after-body');
      const stored = encode(value, `result of step "${ask.name}"`);
      if (this.closed) void transaction?.rollback();
      else this.outcomes.result(ask, stored, transaction);
    } catch (error) {
      // a body whose time is over may still be using the connection
      if (timeouts.has(error as object)) void transaction?.rollback();
      else if (transaction !== undefined)
        return this.failed(ask, await transaction.failed(error, ask.name));
      this.failed(ask, error);
    } finally {
      if (transaction !== undefined) this.transactions?.delete(transaction);
      this.running -= 1;
    }
  }

  private transactionFor({ name }: Ask): StepTransaction {
    const transaction = this.ports.transaction();
    if (transaction === undefined) throw new NoTransactionsError(name);
    (this.transactions ??= new Set()).add(transaction);
    return transaction;
  }

  /** One try of the body. */
  private begin(ask: Ask, transaction?: StepTransaction): unknown {
    const timeoutMs = parseDuration(ask.options?.timeout);
    if (timeoutMs !== undefined) return this.within(timeoutMs, ask, transaction);
    if (transaction !== undefined) return this.inside(ask, transaction);
    return currentExecution.run({ owner: this.owner, insideStep: ask.name }, () => ask.body!());
  }

  /** One that takes too long goes on, but nobody waits for it any more. */
  private within(timeoutMs: number, ask: Ask, transaction?: StepTransaction): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const controller = new AbortController();
      const timer = this.startTimer(timeoutMs, () => {
        const error = new StepTimeoutError(ask.name, timeoutMs);
        timeouts.add(error);
        controller.abort(error);
        reject(error);
      });
      this.inside(ask, transaction, controller.signal)
        .then(resolve, reject)
        .finally(() => this.stopTimer(timer));
    });
  }

  private async inside(
    { name, body }: Ask,
    begun?: StepTransaction,
    stepSignal?: AbortSignal,
  ): Promise<unknown> {
    const transaction = await begun?.begin(() => !this.closed);
    const cell: ExecutionCell = { owner: this.owner, insideStep: name, stepSignal, transaction };
    try {
      return await currentExecution.run(cell, async () => await body!(transaction));
    } finally {
      // what the body has made keeps the cell, and shall keep nothing else
      cell.transaction = undefined;
      cell.stepSignal = undefined;
    }
  }

  private startTimer(delayMs: number, fire: () => void): Timer {
    const timer = this.clock.startTimer(delayMs, () => {
      this.timers?.delete(timer);
      fire();
    });
    (this.timers ??= new Set()).add(timer);
    return timer;
  }

  private stopTimer(timer: Timer): void {
    this.timers?.delete(timer);
    this.clock.stopTimer(timer);
  }

  /** Its body threw, or what it wrote could not be committed. */
  failed(ask: Ask, error: unknown): void {
    if (this.closed) return;
    this.replay.changed();
    this.clock.reach?.('after-failed-body');
    // it may have obeyed its signal, and is not tried again
    const cancelled = this.ports.cancelled();
    if (cancelled !== undefined) return this.outcomes.refused(ask, cancelled);
    if (this.ports.interrupted()) return this.add(ask); // begun again where it goes on
    if (error === transactionLost && this.mayRunAgain(ask))
      return this.tryAgain(ask, this.pauseAfterLoss(ask));
    this.anyFailed = true;
    ask.tries += 1;
    const policy = retryPolicy(ask.options?.retry, { maxAttempts: 1 }, this.clock.random);
    const delay = delayBeforeRetry(error, ask.tries, policy);
    if (delay !== undefined) return this.tryAgain(ask, delay);
    const stored = serializeError(error);
    const seen = deserializeError(stored);
    thrown.set(seen, error);
    this.outcomes.error(ask, JSON.stringify(stored), seen);
  }

  /** The database was away, which is no failure of the step. */
  private mayRunAgain(ask: Ask): boolean {
    ask.losses = (ask.losses ?? 0) + 1;
    return ask.losses <= MAX_LOST_TRANSACTIONS;
  }

  /** A pool may have more connections that are lost without its knowing. */
  private pauseAfterLoss({ losses = 1 }: Ask): number {
    return jittered(this.clock, Math.min(FIRST_PAUSE_MS * 2 ** (losses - 1), LONGEST_PAUSE_MS));
  }

  private tryAgain(ask: Ask, delay: number): void {
    ask.due = this.clock.now() + delay;
    ask.saved = false;
    if (delay > HELD_RETRY_MS) return this.waits.add(ask);
    this.running += 1;
    this.startTimer(delay, () => {
      this.clock.reach?.('before-retry');
      this.running -= 1;
      this.add(ask);
      this.replay.changed();
    });
  }
}
