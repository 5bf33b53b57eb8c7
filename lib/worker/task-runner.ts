import { isThenable } from '../common/thenable.js';
import type { TaskDefinition } from '../discovery/task-definition.js';
import type { Outcome } from '../execution/outcome.js';
import { Activation, judgeAttempt, type ActivationTools } from './activation.js';
import type { Attempt } from './attempt.js';
import { parsedPayload, type ParsedPayload } from './parsed-payload.js';

/** Runs one attempt: from a claimed execution to an outcome. User code ends in a value here; nothing is thrown. */
export class TaskRunner {
  constructor(private readonly tools: ActivationTools) {}

  run(attempt: Attempt, task: TaskDefinition): Outcome | Promise<Outcome> {
    const activate = (payload: ParsedPayload) => this.activate(attempt, task, payload);
    const fail = (error: unknown) => judgeAttempt(error, attempt.execution, task, this.tools);
    let payload: ParsedPayload | Promise<ParsedPayload>;
    try {
      payload = parsedPayload(task, attempt.execution);
    } catch (error) {
      return fail(error);
    }
    return isThenable(payload) ? payload.then(activate, fail) : activate(payload);
  }

  private activate(
    attempt: Attempt,
    task: TaskDefinition,
    payload: ParsedPayload,
  ): Outcome | Promise<Outcome> {
    if (attempt.interrupted === 'lost') return { type: 'lost' };
    return new Activation(attempt, task, payload, this.tools).run();
  }
}
