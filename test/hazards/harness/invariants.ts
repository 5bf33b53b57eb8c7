import type { History } from './history.js';
import { bodyCounts, doubled } from './invariants/bodies.js';
import { charges, reaped } from './invariants/bounds.js';
import { stale, transition } from './invariants/fences.js';
import type { Invariant } from './invariants/invariant.js';
import { finality, lost } from './invariants/outcomes.js';
import { deadlocks, locks, processes } from './invariants/rest.js';
import { transactions } from './invariants/transactions.js';

/** Checked after every run. */
export const invariants: Invariant[] = [
  lost,
  finality,
  stale,
  transition,
  doubled,
  bodyCounts,
  transactions,
  charges,
  reaped,
  locks,
  deadlocks,
  processes,
];

/** The violations of each invariant, by its name. */
export type Findings = Map<string, string[]>;

export function examine(history: History): Findings {
  return new Map(invariants.map(({ name, violations }) => [name, violations(history)]));
}
