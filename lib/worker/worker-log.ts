import { Logger } from '@nestjs/common';
import type { ClaimedExecution } from '../execution/claimed-execution.js';
import type { SchemaVersionError } from '../errors/schema-version.error.js';
import type { Database } from '../persistence/database.js';

/** What a worker has to say. Never a payload, a result or a key: a driver's error is stripped of its values first. */
export class WorkerLog {
  private readonly logger = new Logger('Conductor');
  private quietUntilRecovered = false;
  private toldTooOld = false;

  constructor(private readonly database: Database) {}

  visible(error: unknown): Error {
    return this.database.visible(error, 'work') as Error;
  }

  /** Once an outage, not once a try. */
  claimFailed(error: unknown, pauseMs: number): void {
    const message = `Cannot claim work, next try in ${Math.round(pauseMs)} ms: ${this.visible(error).message}`;
    if (this.quietUntilRecovered) this.logger.debug(message);
    else this.logger.warn(message);
    this.quietUntilRecovered = true;
  }

  beatFailed(error: unknown): void {
    const message = `Heartbeat failed: ${this.visible(error).message}`;
    if (this.quietUntilRecovered) this.logger.debug(message);
    else this.logger.warn(message);
    this.quietUntilRecovered = true;
  }

  beatSucceeded(): void {
    if (this.quietUntilRecovered) this.logger.log('The database answers again.');
    this.quietUntilRecovered = false;
  }

  /** Once: it does not become younger. */
  tooOld(error: SchemaVersionError): void {
    if (this.toldTooOld) return;
    this.toldTooOld = true;
    this.logger.error(
      `This worker claims nothing from now on; what it runs goes on. ${error.message}`,
    );
  }

  leaseEnding(count: number): void {
    this.logger.warn(
      `The lease is about to end and could not be renewed: ${count} running executions are told to stop.`,
    );
  }

  reaped(): void {
    this.logger.warn(
      'This worker was taken for dead, and its executions were given to others. It begins anew.',
    );
  }

  recovered(workerId: number, recovered: number, ended: number): void {
    this.logger.warn(
      `Worker ${workerId} stopped renewing its lease: ${recovered} of its executions can be claimed again` +
        (ended > 0 ? `, ${ended} ended as WORKER_LOST or cancelled.` : '.'),
    );
  }

  lost({ id, task }: ClaimedExecution): void {
    this.logger.warn(
      `Execution ${id} of ${task.name} is no longer this worker's: what this attempt came to is discarded.`,
    );
  }

  blocked({ id, task }: ClaimedExecution, reason: string): void {
    this.logger.error(`Execution ${id} of ${task.name} is blocked: ${reason}`);
  }

  settleFailed({ id, task }: ClaimedExecution, error: unknown): void {
    this.logger.error(
      `The outcome of execution ${id} of ${task.name} could not be stored: ${this.visible(error).message}`,
    );
  }

  dutyFailed(duty: string, error: unknown): void {
    this.logger.warn(`${duty} failed: ${this.visible(error).message}`);
  }
}
