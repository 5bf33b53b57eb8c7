import { ConductorError } from './conductor.error.js';

/** `none`: none was begun. `ended`: it was over before the call was carried out. `read-only`: nothing can be written in it. */
export type NotInTransactionReason = 'none' | 'ended' | 'read-only';

/** What `conductor.using` was given is in no transaction that the call could join; nothing was written. */
export class NotInTransactionError extends ConductorError {
  readonly code = 'CONDUCTOR_NOT_IN_TRANSACTION';

  constructor(
    readonly reason: NotInTransactionReason,
    /** What was called. */
    what: string,
  ) {
    super(`${what} wrote nothing: ${explained(reason)}`);
  }
}

function explained(reason: NotInTransactionReason): string {
  switch (reason) {
    case 'none':
      return (
        'the EntityManager is in no transaction. Pass the one that dataSource.transaction(async (em) => …) gives, or the manager of a ' +
        'queryRunner after its startTransaction(); where nothing has to be committed together, call the conductor without using().'
      );
    case 'ended':
      return 'the transaction of the EntityManager has ended. Await the call within the transaction.';
    case 'read-only':
      return 'the transaction of the EntityManager is read-only. Begin one that may write, on the primary.';
  }
}
