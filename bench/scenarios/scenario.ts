import type { Stage } from '../harness/stage.js';
import type { Contender } from './contenders.js';

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

export const entriesOf = (
  contenders: Contender[],
  measure: (context: Context, contender: Contender) => Promise<Measured>,
): Entry[] =>
  contenders.map((contender) => ({
    subject: contender.subject,
    ours: contender.ours,
    measure: (context) => measure(context, contender),
  }));
