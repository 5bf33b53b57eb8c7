import type { TaskContract } from '../../../lib/index.js';
import type { Random } from './random.js';

/** One execution to be asked for. */
export interface Planned<P = unknown> {
  id: string;
  payload: P;
}

/** A body that the load's task runs once an execution, unless something goes wrong. */
export interface Body {
  /** The name it is recorded under. */
  step: string;
  /** How often it may run in one claim. */
  tries: number;
}

/** What a load asks for, and what must come of it. */
export interface Load<P = unknown> {
  /** Tells the worker which tasks to have. */
  id: 'A' | 'family' | 'reads' | 'long' | 'batch' | 'poison' | 'workflow' | 'frozen';
  description: string;
  task: TaskContract;
  /** The bodies that leave a row in the ledger. */
  bodies: Body[];
  /** Steps that leave a row in the engine's database, in the transaction of their record. */
  transactional?: string[];
  plan(count: number, random: Random): Planned<P>[];
  /** What its handler asks for in its turn: accepted, once it has completed. */
  asksFor?(payload: P): Planned<P>[];
  /** The failures that this payload brings about, each one handled by another attempt. */
  failuresOf(payload: P): number;
  /** The code of the error that it has to end with; without it every execution has to complete. */
  failsWith?(payload: P): string | undefined;
  /** What is wrong with an execution's result, given what its steps recorded. */
  problemWith(payload: P, result: unknown, recorded: Map<string, unknown>): string | undefined;
}
