import { isThenable } from '../common/thenable.js';
import type { TaskDefinition } from '../discovery/task-definition.js';
import { Activation, judgeAttempt, type ActivationTools } from './activation.js';
import type { Attempt, AttemptEnd } from './attempt.js';
import { parsedPayload, type ParsedPayload } from './parsed-payload.js';

/** Runs one attempt: from a claimed execution to an outcome. User code ends in a value here; nothing is thrown. */
export class TaskRunner {
  constructor(private readonly tools: ActivationTools) {}

  run(attempt: Attempt, task: TaskDefinition, end: AttemptEnd): void {
    let payload: ParsedPayload | Promise<ParsedPayload>;
    try {
      payload = parsedPayload(task, attempt.execution);
    } catch (error) {
      return this.refuse(attempt, task, error, end);
    }
    if (isThenable(payload)) void this.runParsed(attempt, task, payload, end);
    else this.activate(attempt, task, payload, end);
  }

  private async runParsed(
    attempt: Attempt,
    task: TaskDefinition,
    parsing: Promise<ParsedPayload>,
    end: AttemptEnd,
  ): Promise<void> {
    let payload: ParsedPayload;
    try {
      payload = await parsing;
    } catch (error) {
      return this.refuse(attempt, task, error, end);
    }
    this.activate(attempt, task, payload, end);
  }

  private activate(
    attempt: Attempt,
    task: TaskDefinition,
    payload: ParsedPayload,
    end: AttemptEnd,
  ): void {
    if (attempt.interrupted === 'lost') return end.ended(attempt, { type: 'lost' });
    void new Activation(attempt, task, payload, this.tools, end).run();
  }

  private refuse(attempt: Attempt, task: TaskDefinition, error: unknown, end: AttemptEnd): void {
    end.ended(attempt, judgeAttempt(error, attempt.execution, task, this.tools));
  }
}
