import { statusCode } from '../../../../lib/execution/execution-status.js';
import { byExecution } from '../history.js';
import { isRecovery } from '../recovery.js';
import type { Invariant } from './invariant.js';

/** An execution is charged exactly the failures that it brought about and the losses that befell it, and its claims are
 *  counted. */
export const charges: Invariant = {
  name: 'wrong charge',
  violations({ load, accepted, outcomes, changes, announcedStops }) {
    const payloads = new Map(accepted.map(({ id, payload }) => [id, payload]));
    const changesOf = byExecution(changes.filter(({ subject }) => subject === 'run'));
    return outcomes.flatMap(({ execution, status, failures, losses, claims }) => {
      const seen = changesOf.get(execution) ?? [];
      const counted = {
        losses: seen.filter(
          (change) =>
            isRecovery(change) &&
            change.oldStarted &&
            !announcedStops.includes(change.oldWorkerId!),
        ).length,
        claims: seen.filter(
          (change) => change.status === statusCode.running && change.oldStatus !== change.status,
        ).length,
      };
      const found: string[] = [];
      if (payloads.has(execution) && status === statusCode.completed) {
        const expected = load.failuresOf(payloads.get(execution));
        if (failures !== expected)
          found.push(`${execution} was charged ${failures} failures and brought about ${expected}`);
      }
      if (losses !== counted.losses)
        found.push(
          `${execution} was charged ${losses} losses and was lost ${counted.losses} times`,
        );
      if (claims !== counted.claims)
        found.push(`${execution} counts ${claims} claims and was claimed ${counted.claims} times`);
      return found;
    });
  },
};

/** Nobody but the victims of a fault loses a lease. */
export const reaped: Invariant = {
  name: 'live worker reaped',
  violations: ({ changes, hitWorkers }) =>
    changes
      .filter((change) => isRecovery(change) && !hitWorkers.includes(change.oldWorkerId!))
      .map(
        ({ execution, oldWorkerId }) =>
          `${execution} was taken from worker ${oldWorkerId}, which no fault had hit`,
      ),
};
