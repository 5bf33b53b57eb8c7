import type { Clock } from '../common/clock.js';
import { LONGEST_TIMEOUT, parseDuration } from '../common/duration.js';
import { fromStoredForm, parseWith, storedForm } from '../contracts/parse.js';
import type { TaskDefinition } from '../discovery/task-definition.js';
import { AttemptTimeoutError } from '../errors/attempt-timeout.error.js';
import { DeadlineExceededError } from '../errors/deadline-exceeded.error.js';
import { PayloadInvalidError } from '../errors/payload-invalid.error.js';
import { ResultInvalidError } from '../errors/result-invalid.error.js';
import { decode, decodeParsed, encode } from '../execution/codec.js';
import type { ClaimedExecution } from '../execution/claimed-execution.js';
import { currentExecution } from '../execution/current-execution.js';
import { judgeFailure } from '../execution/judge.js';
import type { Outcome } from '../execution/outcome.js';
import { retryPolicy, type RetryPolicy } from '../execution/retry-policy.js';
import { PAYLOAD_RECORD, type RecordWrite } from '../execution/step-record.js';
import { serializeError } from '../execution/serialized-error.js';
import type { InvokeEvent } from '../interfaces/invoke-event.js';
import type { TaskDefaults } from '../interfaces/task-options.js';
import type { StepTransactions } from '../persistence/step-transactions.js';
import type { Attempt } from './attempt.js';
import type { Completer } from './completer.js';
import type { JournalEnd } from './journal-ports.js';
import { StepJournal } from './step-journal.js';
import type { TaskContexts } from './task-contexts.js';
import type { TaskLogs } from './task-logs.js';

/** How long a handler whose time is over may take to end. Then the next attempt may start beside it, which the fence allows. */
const TIMEOUT_GRACE_MS = 5_000;

const LONGEST_TIMER_MS = parseDuration(LONGEST_TIMEOUT)!;

/** Runs one attempt: from a claimed execution to an outcome. User code ends in a value here; nothing is thrown. */
export class TaskRunner {
  constructor(
    private readonly completer: Completer,
    private readonly logs: TaskLogs,
    private readonly contexts: TaskContexts,
    private readonly defaults: TaskDefaults,
    private readonly clock: Clock,
    private readonly stopping: () => boolean,
    private readonly transactions?: StepTransactions,
  ) {}

  async run(attempt: Attempt, task: TaskDefinition): Promise<Outcome> {
    const { execution } = attempt;
    const policy = retryPolicy(task.options.retry, this.defaults.retry, this.clock.random);
    let payload: ParsedPayload;
    try {
      payload = await parsePayload(task, execution);
    } catch (error) {
      return this.judge(attempt, error, policy);
    }
    if (attempt.interrupted === 'lost') return { type: 'lost' };
    return await this.activate(attempt, task, payload, policy);
  }

  /** Settles with the handler, or with the journal when that drops the activation: then nothing refers to the handler's
   *  promise any more, and all of it is garbage. */
  private activate(
    attempt: Attempt,
    task: TaskDefinition,
    { value, unsaved }: ParsedPayload,
    policy: RetryPolicy,
  ): Promise<Outcome> {
    const { execution } = attempt;
    const event: InvokeEvent = { name: 'conductor.invoke', payload: value };
    return new Promise<Outcome>((resolve, reject) => {
      let left = false;
      /** The handler is left behind: nothing refers to its promise any more, and what it still comes to is ignored. */
      const leave = (outcome: Outcome) => {
        left = true;
        time.stop();
        attempt.close();
        resolve(outcome);
      };
      const journal = new StepJournal(
        execution,
        {
          save: (records) =>
            this.completer.save({ id: execution.id, token: execution.token, records }),
          transaction: this.transactions && (() => this.transactions!.open(execution)),
          suspend: (records) =>
            this.completer.suspend({ id: execution.id, token: execution.token, records }),
          stopping: this.stopping,
          interrupted: () => attempt.interrupted === 'shutdown',
          end: (end) => {
            if (end.type === 'lost') return attempt.lose(); // its handler still runs; it ends the attempt when it settles
            leave(this.dropped(attempt, end, policy));
          },
          lateCall: (call) => this.logs.lateCall(execution, call),
        },
        this.clock,
        unsaved,
      );
      attempt.journal = journal;
      attempt.cell.execution = journal;
      const parts = {
        execution,
        event,
        journal,
        signal: () => attempt.signal(),
        logger: () => this.logs.of(execution),
      };
      const ended = async (judged: () => Promise<Outcome>) => {
        if (left) return this.logs.lateEnd(execution);
        this.clock.reach?.('after-handler');
        time.stop();
        attempt.close();
        resolve(await judged());
      };
      const time = this.limit(attempt, task, (error) => {
        this.logs.leftBehind(execution, error);
        leave(this.judge(attempt, error, policy));
      });
      this.clock.reach?.('before-handler');
      attempt.time = time;
      currentExecution
        .run(attempt.cell, async () => await this.contexts.call(task.handler, parts))
        .then(
          (value) => ended(() => this.returned(attempt, journal, task, value, policy)),
          (error: unknown) => ended(() => this.threw(attempt, journal, error, policy)),
        )
        .catch(reject);
    });
  }

  /** At the end of the task's time, or of the execution's, the attempt is told; a handler that has not ended a grace later is left behind. */
  private limit(
    attempt: Attempt,
    task: TaskDefinition,
    leave: (error: AttemptTimeoutError | DeadlineExceededError) => void,
  ): { stop(): void } {
    const { id, deadlineInMs = Infinity } = attempt.execution;
    const timeoutMs = parseDuration(task.options.timeout ?? this.defaults.timeout) ?? Infinity;
    const limitMs = Math.min(timeoutMs, deadlineInMs);
    // a deadline beyond what a timer holds comes in a later activation, or is found at rest
    if (limitMs > LONGEST_TIMER_MS) return { stop: () => undefined };
    let timer = this.clock.startTimer(limitMs, () => {
      const error =
        deadlineInMs <= timeoutMs
          ? new DeadlineExceededError(id)
          : new AttemptTimeoutError(id, task.name, timeoutMs);
      attempt.expire(error);
      timer = this.clock.startTimer(TIMEOUT_GRACE_MS, () => {
        if (attempt.interrupted === 'timeout') leave(error);
      });
    });
    return { stop: () => this.clock.stopTimer(timer) };
  }

  private async returned(
    attempt: Attempt,
    journal: StepJournal,
    task: TaskDefinition,
    value: unknown,
    policy: RetryPolicy,
  ): Promise<Outcome> {
    const divergence = await journal.handlerEnded();
    if (attempt.interrupted === 'lost') return { type: 'lost' };
    if (attempt.timeout !== undefined) return this.judge(attempt, attempt.timeout, policy);
    if (divergence !== undefined) return { type: 'blocked', error: serializeError(divergence) };
    try {
      const parsed = await parseWith(task.returns, value);
      if (parsed.issues) throw new ResultInvalidError(task.name, parsed.issues);
      return { type: 'completed', result: encode(parsed.value, `result of task "${task.name}"`) };
    } catch (error) {
      return this.judge(attempt, error, policy);
    }
  }

  private async threw(
    attempt: Attempt,
    journal: StepJournal,
    error: unknown,
    policy: RetryPolicy,
  ): Promise<Outcome> {
    await journal.handlerEnded();
    if (attempt.interrupted === 'lost') return { type: 'lost' };
    // it was asked to stop and did: the attempt is given back
    if (attempt.interrupted === 'shutdown') return { type: 'released' };
    return this.judge(attempt, attempt.timeout ?? journal.original(error), policy);
  }

  /** The journal has dropped the activation. */
  private dropped(
    attempt: Attempt,
    end: Exclude<JournalEnd, { type: 'lost' }>,
    policy: RetryPolicy,
  ): Outcome {
    switch (end.type) {
      case 'diverged':
        return { type: 'blocked', error: serializeError(end.error) };
      case 'refused':
        return this.judge(attempt, end.error, policy);
      case 'suspended':
      case 'released':
        return { type: end.type };
    }
  }

  private judge({ execution }: Attempt, error: unknown, policy: RetryPolicy): Outcome {
    return judgeFailure(error, execution.failures + 1, policy);
  }
}

interface ParsedPayload {
  value: unknown;
  unsaved: RecordWrite[];
}

/** The code may have changed since the invoke: what no longer fits fails here, before the handler. */
async function parsePayload(
  task: TaskDefinition,
  { payload, records }: ClaimedExecution,
): Promise<ParsedPayload> {
  const recorded = records.find(({ kind }) => kind === 'payload');
  if (recorded !== undefined) {
    const stored = decodeParsed(recorded.value);
    const value = await fromStoredForm(task.payload, stored, () => decode(payload));
    return { value, unsaved: [] };
  }
  const parsed = await parseWith(task.payload, decode(payload));
  if (parsed.issues) throw new PayloadInvalidError(task.name, parsed.issues);
  return { value: parsed.value, unsaved: await differing(task.payload, payload, parsed.value) };
}

async function differing(
  schema: TaskDefinition['payload'],
  payload: string,
  parsed: unknown,
): Promise<RecordWrite[]> {
  if (schema === undefined) return [];
  try {
    const value = encode(await storedForm(schema, parsed), 'parsed payload');
    if (value === payload) return [];
    return [
      { name: PAYLOAD_RECORD, kind: 'payload', status: 'completed', alone: true, tries: 0, value },
    ];
  } catch {
    return []; // an instance that cannot be stored: it is made again from the payload
  }
}
