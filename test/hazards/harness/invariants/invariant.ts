import type { History } from '../history.js';

/** Something that holds after every run, whatever the faults. */
export interface Invariant {
  name: string;
  /** One line for each violation, with the ids that it takes to find it. */
  violations: (history: History) => string[];
}
