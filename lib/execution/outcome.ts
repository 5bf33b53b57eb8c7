import type { SerializedError } from './serialized-error.js';

/** What one attempt came to. */
export type Outcome =
  | { type: 'completed'; result: string }
  | { type: 'failed'; error: SerializedError }
  | { type: 'retry'; error: SerializedError; delayMs: number }
  /** Given back at a step boundary: the worker is shutting down, or could not go on. */
  | { type: 'released' }
  /** Given back before its handler began. It may still expire. */
  | { type: 'unbegun' }
  /** The handler no longer matches the record. */
  | { type: 'blocked'; error: SerializedError }
  /** Parked by a statement of its own; nothing is left to settle. */
  | { type: 'suspended' }
  /** Another attempt is authorised: nothing of this one may be written. */
  | { type: 'lost' };

export type SettledOutcome = Exclude<Outcome, { type: 'suspended' | 'lost' }>;

/** How settle's input is coded. */
export const outcomeCode = {
  completed: 0,
  failed: 1,
  retry: 2,
  released: 3,
  blocked: 4,
  unbegun: 5,
} as const satisfies Record<SettledOutcome['type'], number>;

/** What became of a write. `busy`: somebody else holds the row for the moment; it has to be sent again. */
export type WriteReport = 'applied' | 'duplicate' | 'lost' | 'busy';

export const reportCode = { lost: 0, duplicate: 1, busy: 2 } as const;
