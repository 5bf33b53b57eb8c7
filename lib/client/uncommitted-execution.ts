import { UncommittedExecutionError } from '../errors/uncommitted-execution.error.js';
import type { InvokeOutcome } from '../interfaces/invoke-options.js';

/** What an invoke within a transaction gives. It exists for nobody else until that is committed, and to wait for it before would never
 *  end, so it has no more than this: after the commit there is `conductor.handle(id)`. */
export interface UncommittedExecution {
  readonly id: string;
  /** `created`: this invoke made it, if the transaction is committed. `existing`: the id was known, and nothing was written. */
  readonly outcome: InvokeOutcome;
}

/** Says what to do, where no compiler has said it. */
export class RefusingExecution implements UncommittedExecution {
  constructor(
    readonly id: string,
    readonly outcome: InvokeOutcome,
  ) {}

  async status(): Promise<never> {
    throw new UncommittedExecutionError(this.id, 'status');
  }

  async result(): Promise<never> {
    throw new UncommittedExecutionError(this.id, 'result');
  }

  async wait(): Promise<never> {
    throw new UncommittedExecutionError(this.id, 'wait');
  }
}
