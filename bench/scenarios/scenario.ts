import type { Server } from '../harness/server.js';
import type { SubjectOptions } from '../subjects/subject.js';

/** What one round of one subject came to. */
export interface Measured {
  value: number;
  /** What else is worth knowing, by name with its unit: `WAL B/job`. */
  facts?: Record<string, number>;
}

export interface Context {
  server: Server;
  quick: boolean;
}

/** One row of the table. */
export interface Entry {
  /** As it is shown; what is compared with the peers is `nest-conductor`. */
  subject: string;
  /** Ours must work: it fails the run, a peer only its row. */
  ours: boolean;
  measure: (context: Context) => Promise<Measured>;
}

/** A question that is put to several subjects in turn: A B C, A B C. */
export interface Scenario {
  id: string;
  title: string;
  /** The goals of 7-performance that it answers. */
  goals: string[];
  unit: string;
  better: 'higher' | 'lower';
  rounds: { quick: number; full: number };
  /** Not part of a quick run. */
  fullOnly?: boolean;
  entries: Entry[];
}

/** A subject in a form that a scenario asks for. */
export interface Contender {
  subject: string;
  module: string;
  options: SubjectOptions;
  ours: boolean;
}

export const OURS = 'nest-conductor';

const contender = (subject: string, module: string, options: SubjectOptions = {}): Contender => ({
  subject,
  module,
  options,
  ours: module === OURS,
});

export const ours = contender(OURS, OURS);
export const ours100 = contender('nest-conductor, concurrency 100', OURS, { concurrency: 100 });
export const graphileWorker = contender('graphile-worker', 'graphile-worker');
export const pgBoss = contender('pg-boss', 'pg-boss');
export const bare = contender('bare SQL', 'bare');
