import { OURS } from '../harness/row.js';
import type { SubjectOptions } from '../subjects/subject.js';

/** A subject in the form that a scenario asks for. */
export interface Contender {
  subject: string;
  module: string;
  options: SubjectOptions;
  ours: boolean;
  /** Where its jobs are: what Postgres did is no figure of one that does without. */
  store: 'postgres' | 'redis';
}

const contender = (subject: string, module: string): Contender => ({
  subject,
  module,
  options: {},
  ours: module === OURS,
  store: 'postgres',
});

export const ours = contender(OURS, OURS);
export const graphileWorker = contender('graphile-worker', 'graphile-worker');
export const pgBoss = contender('pg-boss', 'pg-boss');
export const dbos = contender('DBOS', 'dbos');
export const bullMq: Contender = { ...contender('BullMQ', 'bullmq'), store: 'redis' };
export const bare = contender('bare SQL', 'bare');
export const bareLatency = contender('bare SQL', 'bare-latency');

/** The same subject set up in another way, in a row of its own or in place of the first. */
export const as = (
  contender: Contender,
  subject: string,
  options: SubjectOptions = {},
): Contender => ({ ...contender, subject, options: { ...contender.options, ...options } });
