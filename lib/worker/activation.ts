import type { Clock } from '../common/clock.js';
import { LONGEST_TIMEOUT, parseDuration } from '../common/duration.js';
import { isThenable } from '../common/thenable.js';
import { parseWith } from '../contracts/parse.js';
import type { TaskDefinition } from '../discovery/task-definition.js';
import { AttemptTimeoutError } from '../errors/attempt-timeout.error.js';
import { DeadlineExceededError } from '../errors/deadline-exceeded.error.js';
import type { DivergenceError } from '../errors/divergence.error.js';
import { ResultInvalidError } from '../errors/result-invalid.error.js';
import type { ClaimedExecution } from '../execution/claimed-execution.js';
import { encode } from '../execution/codec.js';
import {
  currentExecution,
  type ActiveExecution,
  type StepCall,
} from '../execution/current-execution.js';
import { judgeFailure } from '../execution/judge.js';
import type { Outcome } from '../execution/outcome.js';
import { retryPolicy } from '../execution/retry-policy.js';
import { serializeError } from '../execution/serialized-error.js';
import type { RecordWrite } from '../execution/step-record.js';
import type { InvokeEvent } from '../interfaces/invoke-event.js';
import type { TaskDefaults } from '../interfaces/task-options.js';
import type { TaskLogger } from '../interfaces/task-logger.js';
import type { StepTransaction } from '../persistence/step-transaction.js';
import type { StepTransactions } from '../persistence/step-transactions.js';
import type { Attempt, AttemptEnd } from './attempt.js';
import type { JournalEnd, JournalPorts, SuspendReply } from './journal-ports.js';
import type { ParsedPayload } from './parsed-payload.js';
import type { RecordWriter } from './record-writer.js';
import { StepJournal } from './step-journal.js';
import type { ContextParts } from './task-context.js';
import type { TaskContexts } from './task-contexts.js';
import type { TaskLogs } from './task-logs.js';

/** How long a handler whose time is over may take to end. Then the next attempt may start beside it, which the fence allows. */
const TIMEOUT_GRACE_MS = 5_000;

const LONGEST_TIMER_MS = parseDuration(LONGEST_TIMEOUT)!;

/** What the activations of one worker share. */
export interface ActivationTools {
  writer: RecordWriter;
  logs: TaskLogs;
  contexts: TaskContexts;
  defaults: TaskDefaults;
  clock: Clock;
  stopping: () => boolean;
  outlivedLease: () => boolean;
  /** Undefined: the app has not said of which DataSource. */
  transactions?: StepTransactions;
}

/** Calls the handler, and makes an outcome of what comes of it. Most of what an execution costs in this process are promises and the
 *  objects that steps need, so nothing is awaited that is there already, and the journal is made when it is first asked. */
export class Activation implements ActiveExecution, JournalPorts, ContextParts {
  readonly execution: ClaimedExecution;
  readonly event: InvokeEvent;
  private unsaved: RecordWrite[];
  private asked?: StepJournal;
  private hasEnded = false;
  /** Nothing refers to the handler's promise any more, and what it still comes to is ignored. */
  private left = false;

  constructor(
    private readonly attempt: Attempt,
    private readonly task: TaskDefinition,
    { value, unsaved }: ParsedPayload,
    private readonly tools: ActivationTools,
    private readonly ends: AttemptEnd,
  ) {
    this.execution = attempt.execution;
    this.event = { name: 'conductor.invoke', payload: value };
    this.unsaved = unsaved;
  }

  /** Ends with the handler, or with the journal when that drops the activation: then nothing refers to the handler's
   *  promise any more, and all of it is garbage. Never rejects. */
  async run(): Promise<void> {
    let value: unknown;
    let thrown: { error: unknown } | undefined;
    let outcome: Outcome;
    try {
      this.open();
      try {
        const returned = currentExecution.run(this.attempt.cell, () =>
          this.tools.contexts.call(this.task.handler, this),
        );
        value = isThenable(returned) ? await returned : returned;
      } catch (error) {
        thrown = { error };
      }
      if (this.left) return this.tools.logs.lateEnd(this.execution);
      const divergence = this.close();
      if (this.asked?.writing !== undefined) await this.asked.writing;
      const came = thrown ? this.threw(thrown.error) : this.returned(value, divergence);
      outcome = isThenable(came) ? await came : came;
    } catch (error) {
      return this.ends.broke(this.attempt, error);
    }
    this.ends.ended(this.attempt, outcome);
  }

  /** One that is made when all is over refuses what is asked of it. */
  get journal(): StepJournal {
    if (this.asked !== undefined) return this.asked;
    const { attempt, execution, tools } = this;
    this.asked = new StepJournal(execution, this, tools.clock, attempt.claimedAt, this.unsaved);
    this.unsaved = [];
    if (this.hasEnded) this.asked.handlerEnded();
    else if (attempt.refusal !== undefined) this.asked.refuse(attempt.refusal);
    else attempt.journal = this.asked;
    return this.asked;
  }

  callStep(call: StepCall): Promise<unknown> {
    return this.journal.callStep(call);
  }

  private open(): void {
    this.attempt.cell.execution = this;
    if (this.execution.records.length > 0) void this.journal; // it watches whether they are asked for
    this.attempt.time = this.limit();
    this.tools.clock.reach?.('before-handler');
  }

  /** The handler has ended. @returns what is wrong if it has returned */
  private close(): DivergenceError | undefined {
    this.tools.clock.reach?.('after-handler');
    this.attempt.close();
    this.hasEnded = true;
    return this.asked?.handlerEnded();
  }

  private returned(
    value: unknown,
    divergence: DivergenceError | undefined,
  ): Outcome | Promise<Outcome> {
    const { interrupted, timeout } = this.attempt;
    if (interrupted === 'lost') return { type: 'lost' };
    if (timeout !== undefined) return this.judge(timeout);
    if (divergence !== undefined) return { type: 'blocked', error: serializeError(divergence) };
    return this.task.returns === undefined ? this.completed(value) : this.parsed(value);
  }

  private async parsed(value: unknown): Promise<Outcome> {
    try {
      const parsed = await parseWith(this.task.returns, value);
      if (parsed.issues) throw new ResultInvalidError(this.task.name, parsed.issues);
      return this.completed(parsed.value);
    } catch (error) {
      return this.judge(error);
    }
  }

  private completed(value: unknown): Outcome {
    try {
      return { type: 'completed', result: encode(value, `result of task "${this.task.name}"`) };
    } catch (error) {
      return this.judge(error);
    }
  }

  private threw(error: unknown): Outcome {
    const { interrupted, cancelled, timeout } = this.attempt;
    if (interrupted === 'lost') return { type: 'lost' };
    // it was asked to stop and did: the attempt is given back, which ends one that was cancelled
    if (interrupted === 'shutdown' || cancelled !== undefined) return { type: 'released' };
    return this.judge(timeout ?? (this.asked === undefined ? error : this.asked.original(error)));
  }

  private judge(error: unknown): Outcome {
    return judgeAttempt(error, this.execution, this.task, this.tools);
  }

  /** At the end of the task's time, or of the execution's, the attempt is told; a handler that has not ended a grace later is left behind. */
  private limit(): Attempt['time'] {
    const { clock, defaults, logs } = this.tools;
    const { id } = this.execution;
    const { deadlineInMs: givenMs } = this.execution;
    const deadlineInMs =
      givenMs === undefined ? Infinity : givenMs - (clock.now() - this.attempt.claimedAt);
    const timeoutMs = parseDuration(this.task.options.timeout ?? defaults.timeout) ?? Infinity;
    const limitMs = Math.min(timeoutMs, deadlineInMs);
    // a deadline beyond what a timer holds comes in a later activation, or is found at rest
    if (limitMs > LONGEST_TIMER_MS) return undefined;
    let timer = clock.startTimer(limitMs, () => {
      const error =
        deadlineInMs <= timeoutMs
          ? new DeadlineExceededError(id)
          : new AttemptTimeoutError(id, this.task.name, timeoutMs);
      this.attempt.expire(error);
      timer = clock.startTimer(TIMEOUT_GRACE_MS, () => {
        if (this.attempt.interrupted !== 'timeout') return;
        logs.leftBehind(this.execution, error);
        this.leave(this.judge(error));
      });
    });
    return { stop: () => clock.stopTimer(timer) };
  }

  private leave(outcome: Outcome): void {
    this.left = true;
    this.attempt.close();
    this.ends.left(this.attempt, outcome);
  }

  // what the journal asks for

  save(records: RecordWrite[]): Promise<void> {
    const { id, token } = this.execution;
    return this.tools.writer.save({ id, token, records });
  }

  async suspend(records: RecordWrite[]): Promise<SuspendReply> {
    const { id, token } = this.execution;
    const reply = await this.tools.writer.suspend({ id, token, records });
    if (reply.type === 'cancelled') this.attempt.cancel(reply.reason);
    return reply;
  }

  transaction(): StepTransaction | undefined {
    return this.tools.transactions?.open(this.execution);
  }

  stopping(): boolean {
    return this.tools.stopping();
  }

  outlivedLease(): boolean {
    return this.tools.outlivedLease();
  }

  cancelled(): Error | undefined {
    return this.attempt.cancelled;
  }

  interrupted(): boolean {
    return this.attempt.interrupted === 'shutdown';
  }

  lateCall(call: string): void {
    this.tools.logs.lateCall(this.execution, call);
  }

  end(end: JournalEnd): void {
    switch (end.type) {
      case 'lost':
        return this.attempt.lose(); // its handler still runs; it ends the attempt when it settles
      case 'diverged':
        return this.leave({ type: 'blocked', error: serializeError(end.error) });
      case 'refused':
        return this.leave(this.judge(end.error));
      case 'suspended':
      case 'released':
        return this.leave({ type: end.type });
    }
  }

  // what the context shows

  signal(): AbortSignal {
    return this.attempt.signal();
  }

  logger(): TaskLogger {
    return this.tools.logs.of(this.execution);
  }
}

/** What an attempt comes to that ends with this error. */
export function judgeAttempt(
  error: unknown,
  { failures }: ClaimedExecution,
  { options }: TaskDefinition,
  { defaults, clock }: ActivationTools,
): Outcome {
  return judgeFailure(
    error,
    failures + 1,
    retryPolicy(options.retry, defaults.retry, clock.random),
  );
}
