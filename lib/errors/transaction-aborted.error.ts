import { ConductorError } from './conductor.error.js';

/** A statement of the conductor's failed within a transaction of the caller's, which Postgres has aborted by that: a COMMIT would
 *  take all of it back without saying so. */
export class TransactionAbortedError extends ConductorError {
  readonly code = 'CONDUCTOR_TRANSACTION_ABORTED';

  constructor(
    /** What was called. */
    what: string,
    /** SQLSTATE, or the code of a socket error. */
    readonly sqlState: string | undefined,
    cause: Error,
  ) {
    const again = isWorthAnotherTry(sqlState) ? ', then run all of it again' : '';
    super(
      `${what} failed, and with it the transaction that it was called in: ${cause.message}. Nothing of that transaction can be ` +
        `committed any more: let this error pass, so that it is rolled back (or its nested transaction, if it is in one)${again}.`,
      { cause },
    );
  }
}

/** serialization_failure, deadlock_detected, lock_not_available. */
function isWorthAnotherTry(sqlState: string | undefined): boolean {
  return ['40001', '40P01', '55P03'].includes(sqlState ?? '');
}
