import { statusCode } from '../../../lib/execution/execution-status.js';
import type { Change } from './audit-trigger.js';
import { byExecution, type History } from './history.js';
import type { Trial } from './judge.js';
import type { Load } from './load.js';

/** What began as running: its invoke found a slot free in its own process. */
export function localStarts(changes: Change[]): Change[] {
  return changes.filter(
    ({ subject, op, status }) =>
      subject === 'run' && op === 'insert' && status === statusCode.running,
  );
}

/** How many of these were taken from the process that they began in: by a recovery, or since that process did not know of them. */
export function takenAgain(changes: Change[]): number {
  const changesOf = byExecution(changes.filter(({ subject }) => subject === 'run'));
  return localStarts(changes).filter(({ execution }) => {
    const [, next] = changesOf.get(execution)!;
    return next?.statement === 'recover' || next?.statement === 'release_orphans';
  }).length;
}

/** What to tell of a run, and why it shows nothing, where its handlers ask for others: on a busy machine a claim is on its way at any
 *  time, and what is asked for meanwhile waits for one. */
export function startsOf<P>(
  load: Load<P>,
  { changes }: History,
): Required<Pick<Trial, 'measured' | 'timing'>> {
  if (load.asksFor === undefined) return { measured: {}, timing: [] };
  const began = localStarts(changes).length;
  return {
    measured: { 'began with their invoke': began, 'of these taken again': takenAgain(changes) },
    timing: began === 0 ? ['does not count: nothing began with the reply to its invoke'] : [],
  };
}
