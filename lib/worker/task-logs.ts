import { Logger } from '@nestjs/common';
import type { ClaimedExecution } from '../execution/claimed-execution.js';
import type { TaskLogger } from '../interfaces/task-logger.js';

/** Loggers of executions: the app's Nest logger, with the execution as context of every line. */
export class TaskLogs {
  of(execution: ClaimedExecution): TaskLogger {
    const logger = new Logger(contextOf(execution));
    return {
      info: (message, ...args) => logger.log(message, ...args),
      error: (message, ...args) => logger.error(message, ...args),
      debug: (message, ...args) => logger.debug(message, ...args),
      warn: (message, ...args) => logger.warn(message, ...args),
    };
  }

  /** Its handler had been dropped; the call never settles. */
  lateCall(execution: ClaimedExecution, call: string): void {
    this.of(execution).warn(
      `"${call}" was called after the execution was suspended, and is never answered. Work beside a wait is lost at suspension: ` +
        'put it into a step. An interval, an emitter or a client that the handler made keeps its context too.',
    );
  }

  leftBehind(execution: ClaimedExecution, timeout: Error): void {
    this.of(execution).warn(
      `${timeout.message} It did not end when its signal was aborted: it is left behind, and what it still does is ignored.`,
    );
  }

  lateEnd(execution: ClaimedExecution): void {
    this.of(execution).warn(
      'The handler ended after its execution had been suspended or had timed out, and what it came to is ignored. Work beside a wait belongs into a step.',
    );
  }
}

function contextOf({ task, id, failures }: ClaimedExecution): string {
  return `${task.name} [queue ${task.queue}, execution ${id}, attempt ${failures + 1}]`;
}
