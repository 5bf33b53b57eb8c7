import { OURS } from '../harness/row.js';
import type { Stage } from '../harness/stage.js';
import type { SubjectOptions } from '../subjects/subject.js';

/** What one round of one subject came to. */
export interface Measured {
  value: number;
  /** What else is worth knowing, by name with its unit: `WAL B/job`. */
  facts?: Record<string, number>;
}

export interface Context {
  stage: Stage;
  quick: boolean;
  /** In place of each scenario's own number of rounds. */
  rounds?: number;
  /** As many, or in a quick run a tenth of them. */
  some: (count: number) => number;
}

/** One row of the table. */
export interface Entry {
  /** As it is shown; what the others are compared with is `nest-conductor`. */
  subject: string;
  /** Ours must work: it fails the run, a peer only its row. */
  ours: boolean;
  measure: (context: Context) => Promise<Measured>;
}

/** A question that is put to several subjects in turn: A B C, A B C. */
export interface Scenario {
  id: string;
  title: string;
  /** The goals that it answers, of goals.ts. */
  goals: string[];
  unit: string;
  better: 'higher' | 'lower';
  /** Of a full run; a quick one has one. */
  rounds: number;
  /** Who takes part in a quick run. */
  quick: 'all' | 'ours' | 'none';
  entries: Entry[];
  /** What all rounds need, made once. */
  prepare?: (context: Context) => Promise<void>;
  cleanUp?: (context: Context) => Promise<void>;
}

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

/** The same subject set up in another way, in a row of its own or in place of the first. */
export const as = (
  contender: Contender,
  subject: string,
  options: SubjectOptions = {},
): Contender => ({ ...contender, subject, options: { ...contender.options, ...options } });

export const entriesOf = (
  contenders: Contender[],
  measure: (context: Context, contender: Contender) => Promise<Measured>,
): Entry[] =>
  contenders.map((contender) => ({
    subject: contender.subject,
    ours: contender.ours,
    measure: (context) => measure(context, contender),
  }));
