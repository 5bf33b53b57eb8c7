import { median } from './statistics.js';

/** What the others are compared with. */
export const OURS = 'nest-conductor';

/** A subject's row in a scenario. */
export interface Row {
  scenario: string;
  subject: string;
  unit: string;
  better: 'higher' | 'lower';
  /** One a round; null where there is none. */
  rounds: (number | null)[];
  median?: number;
  /** Medians of what else was measured. */
  facts: Record<string, number>;
  /** Our value by its own, median of the rounds that both have. */
  ours?: number;
  /** Why there are no (more) values. */
  problem?: string;
}

/** One row by another: the median of the ratios of the rounds that both have. What a machine does from one round to the next
 *  falls on both. */
export function ratio(row: Row, by: Row): number | undefined {
  const ratios = row.rounds.flatMap((value, round) => {
    const divisor = by.rounds[round];
    return value !== null && typeof divisor === 'number' ? [value / divisor] : [];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}
