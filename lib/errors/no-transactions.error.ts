import { ConductorError } from './conductor.error.js';

/** A transactional step ran in an app that has not said which DataSource its transactions are of. */
export class NoTransactionsError extends ConductorError {
  readonly code = 'CONDUCTOR_NO_TRANSACTIONS';

  constructor(readonly step: string) {
    super(
      `Step "${step}" is transactional, but the conductor does not know the app's DataSource: ` +
        "give the module the option transactions: { dataSource: 'default' }.",
    );
  }
}
