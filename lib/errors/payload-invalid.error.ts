import { ConductorError } from './conductor.error.js';
import { issueLines, type ValueIssue } from './value-issue.js';

/** A payload does not fit its contract. `invoke` rejects with it before anything is written; where the contract changed while
 *  the execution waited, the execution fails with it before its handler starts. It is not tried again. */
export class PayloadInvalidError extends ConductorError {
  readonly code = 'CONDUCTOR_PAYLOAD_INVALID';

  constructor(
    readonly task: string,
    readonly issues: readonly ValueIssue[],
  ) {
    super(
      `The payload does not fit the contract of task "${task}"; pass one that does:${issueLines(issues)}`,
    );
  }
}
