import type { MigrationInterface, QueryRunner } from 'typeorm';
import { offerBlocked, resume } from '../sql/blocked.js';
import { cancel } from '../sql/cancel.js';
import { claim, startAlone } from '../sql/claim.js';
import { clock } from '../sql/clock.js';
import { enqueue } from '../sql/enqueue.js';
import { enqueueWithin } from '../sql/enqueue-within.js';
import { endOverdue } from '../sql/overdue.js';
import { prune } from '../sql/prune.js';
import { nextDue, nextLane } from '../sql/ready.js';
import { recover } from '../sql/recover.js';
import { rerun, retryable } from '../sql/rerun.js';
import { runnable } from '../sql/runnable.js';
import { saveSteps } from '../sql/save-steps.js';
import { settle } from '../sql/settle.js';
import { suspend } from '../sql/suspend.js';
import { tables } from '../sql/tables.js';
import { registerTasks, resolveTasks } from '../sql/tasks.js';
import { beginStep, findStep, recordStep } from '../sql/transactional-step.js';
import {
  announceStop,
  deregisterWorker,
  heartbeat,
  registerWorker,
  releaseOrphans,
} from '../sql/worker.js';
import { schemaOf } from '../schema.js';

/** Each function after those that it calls. */
const functions = [
  clock,
  resolveTasks,
  registerTasks,
  enqueue,
  enqueueWithin,
  nextLane,
  nextDue,
  claim,
  startAlone,
  saveSteps,
  beginStep,
  recordStep,
  findStep,
  suspend,
  settle,
  registerWorker,
  heartbeat,
  releaseOrphans,
  announceStop,
  deregisterWorker,
  recover,
  runnable,
  offerBlocked,
  resume,
  cancel,
  endOverdue,
  rerun,
  retryable,
  prune,
];

export class Initial1764000000000 implements MigrationInterface {
  readonly name = 'Initial1764000000000';

  async up(runner: QueryRunner): Promise<void> {
    const schema = schemaOf(runner.connection);
    for (const statement of tables(`"${schema}"`)) await runner.query(statement);
    for (const fn of functions) await runner.query(fn.create(schema));
    await runner.query(
      `insert into "${schema}".installation (version, min_compatible) values (1, 1)`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    // the schema is all ours, and nothing in it can be kept without it
    await runner.query(`drop schema "${schemaOf(runner.connection)}" cascade`);
  }
}
