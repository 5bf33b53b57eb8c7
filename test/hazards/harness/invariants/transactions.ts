import { recordStatus } from '../../../../lib/execution/step-record.js';
import type { Invariant } from './invariant.js';

/** What a transactional step wrote is there exactly once if it is recorded, and not at all if it is not. */
export const transactions: Invariant = {
  name: 'transactional effects',
  violations({ load, changes, committed }) {
    const watched = new Set(load.transactional);
    const recorded = new Map<string, string>();
    for (const { subject, status, execution, name, value } of changes) {
      if (subject === 'step' && status === recordStatus.completed && watched.has(name!))
        recorded.set(`${execution} "${name}"`, JSON.parse(value!) as string);
    }
    const seen = new Set<string>();
    const wrong: string[] = [];
    for (const { execution, step, claim, effect } of committed) {
      const key = `${execution} "${step}"`;
      if (seen.has(key))
        wrong.push(`${key} was committed twice, the second time by claim ${claim}`);
      else if (recorded.get(key) !== effect)
        wrong.push(`${key} was committed by claim ${claim} without its record`);
      seen.add(key);
    }
    return [
      ...wrong,
      ...[...recorded.keys()]
        .filter((key) => !seen.has(key))
        .map((key) => `${key} is recorded, and what it wrote is not there`),
    ];
  },
};
