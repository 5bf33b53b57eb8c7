import { ExecutionCancelledError } from '../errors/execution-cancelled.error.js';
import { ExecutionFailedError } from '../errors/execution-failed.error.js';
import { ResultExpiredError } from '../errors/result-expired.error.js';
import { ResultTimeoutError } from '../errors/result-timeout.error.js';
import { UnknownExecutionError } from '../errors/unknown-execution.error.js';
import type { CancelAnswer } from '../execution/cancel-answer.js';
import type { ExecutionView } from '../execution/execution-view.js';
import { deserializeError } from '../execution/serialized-error.js';
import type { Duration } from '../interfaces/duration.js';
import { durationProblem, parseDuration } from '../common/duration.js';
import { InvalidInvokeError } from '../errors/invalid-invoke.error.js';
import type { Ending, ExecutionReader } from '../persistence/repositories/execution.reader.js';
import type { Canceller, CancelOptions } from './canceller.js';
import type { ResultWaiter } from './result-waiter.js';

export interface ResultOptions {
  /** How long to wait. Default: as long as it takes. */
  timeout?: Duration;
}

/** In milliseconds; undefined: as long as it takes.
 *  @throws InvalidInvokeError */
export function checkedTimeout(timeout: unknown): number | undefined {
  const problem = timeout === undefined ? undefined : durationProblem(timeout);
  if (problem !== undefined) throw new InvalidInvokeError([`timeout: ${problem}`]);
  return parseDuration(timeout);
}

/** An execution, seen from outside. It holds no connection and costs nothing until a member is called. */
export class ExecutionHandle<R = unknown> {
  readonly #reader: ExecutionReader;
  readonly #waiter: ResultWaiter;
  readonly #canceller: Canceller;

  /** @internal */
  constructor(
    readonly id: string,
    reader: ExecutionReader,
    waiter: ResultWaiter,
    canceller: Canceller,
  ) {
    this.#reader = reader;
    this.#waiter = waiter;
    this.#canceller = canceller;
  }

  /** How it stands now.
   *  @throws UnknownExecutionError if no execution has this id, or retention has removed it */
  async status(): Promise<ExecutionView> {
    const view = await this.#reader.get(this.id);
    if (view === undefined) throw new UnknownExecutionError(this.id);
    return view;
  }

  /** What the handler returned, once it has ended. The execution does not depend on anybody waiting.
   *  @throws ExecutionFailedError with the handler's error as its cause
   *  @throws ExecutionCancelledError with the reason that was given
   *  @throws ResultTimeoutError when it has not ended in time; it goes on all the same
   *  @throws ResultExpiredError when it has ended and its task's retention has removed the result
   *  @throws UnknownExecutionError
   *  @throws InvalidInvokeError if the timeout is not a duration */
  async result({ timeout }: ResultOptions = {}): Promise<R> {
    const ending = await this.#ending(timeout);
    if (ending.pruned) throw new ResultExpiredError(this.id, ending.status);
    if (ending.status === 'completed') return ending.result as R;
    const view = await this.#reader.get(this.id);
    if (view === undefined) throw new ResultExpiredError(this.id, ending.status); // removed since
    const { task } = view;
    if (ending.status === 'cancelled')
      throw new ExecutionCancelledError(this.id, task, ending.error?.message);
    throw new ExecutionFailedError(this.id, task, deserializeError(ending.error!));
  }

  /** Ends it, as `Conductor.cancel` does.
   *  @throws as `Conductor.cancel` */
  async cancel(options?: CancelOptions): Promise<CancelAnswer> {
    return await this.#canceller.cancel(this.id, options);
  }

  /** How it stands once it has ended, whichever way: other than `result` it does not throw for that. What its task's retention has removed
   *  meanwhile is left out, and `pruned` says so.
   *  @throws ResultTimeoutError when it has not ended in time; it goes on all the same
   *  @throws ResultExpiredError when its task's retention has removed all of it
   *  @throws UnknownExecutionError
   *  @throws InvalidInvokeError if the timeout is not a duration */
  async wait({ timeout }: ResultOptions = {}): Promise<ExecutionView> {
    const { status } = await this.#ending(timeout);
    const view = await this.#reader.get(this.id);
    if (view === undefined) throw new ResultExpiredError(this.id, status); // removed since
    return view;
  }

  async #ending(timeout: unknown): Promise<Ending> {
    const timeoutMs = checkedTimeout(timeout);
    const ending = await this.#waiter.wait(this.id, timeoutMs);
    if (ending === 'timeout') throw new ResultTimeoutError(this.id, timeoutMs!);
    if (ending === 'unknown') throw this.absent();
    if (ending === 'gone') throw new ResultExpiredError(this.id);
    return ending;
  }

  /** Why there is nothing to wait for. */
  protected absent(): Error {
    return new UnknownExecutionError(this.id);
  }
}

/** What `invoke` gives. */
export class InvokedExecution<R = unknown> extends ExecutionHandle<R> {
  /** @internal */
  constructor(
    id: string,
    /** `created`: this invoke made it. `existing`: the id was known, and nothing was written. */
    readonly outcome: 'created' | 'existing',
    reader: ExecutionReader,
    waiter: ResultWaiter,
    canceller: Canceller,
  ) {
    super(id, reader, waiter, canceller);
  }

  /** It was accepted, so it has ended and was removed since. */
  protected override absent(): Error {
    return new ResultExpiredError(this.id);
  }
}
