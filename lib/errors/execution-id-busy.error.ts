import { ConductorError } from './conductor.error.js';

/** An id that the caller chose was invoked before, within a transaction that is still open: whether it is taken is not decided. */
export class ExecutionIdBusyError extends ConductorError {
  readonly code = 'CONDUCTOR_EXECUTION_ID_BUSY';

  constructor(
    readonly executionIds: readonly string[],
    /** The task that was invoked. */
    readonly task: string,
    patienceMs: number,
  ) {
    const ids = executionIds.length === 1 ? `The id ${executionIds[0]}` : 'One of the ids';
    super(
      `${ids} given for task "${task}" has been invoked within a transaction that has not ended for ${patienceMs} ms, so it is not known ` +
        'whether it exists. Nothing was written: invoke again later with the same id, and keep transactions that enqueue short.',
    );
  }
}
