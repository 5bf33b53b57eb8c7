import { ConductorError } from './conductor.error.js';
import { issueLines, type ValueIssue } from './value-issue.js';

/** What a handler returned does not fit its contract; the attempt fails. */
export class ResultInvalidError extends ConductorError {
  readonly code = 'CONDUCTOR_RESULT_INVALID';

  constructor(
    readonly task: string,
    readonly issues: readonly ValueIssue[],
  ) {
    super(
      `The handler of task "${task}" returned what its contract does not allow; correct the handler, or the contract's ` +
        `"returns":${issueLines(issues)}`,
    );
  }
}
