import { closest } from '../common/edit-distance.js';
import { ConductorError } from './conductor.error.js';

/** Of a long record the first ones say enough. */
const SHOWN = 20;

/** An execution was to be forked from a step that it has not recorded. */
export class UnknownStepError extends ConductorError {
  readonly code = 'CONDUCTOR_UNKNOWN_STEP';

  constructor(
    readonly executionId: string,
    readonly step: string,
    /** What it has recorded, in order; of a long record the first hundred. */
    readonly recorded: readonly string[],
  ) {
    const meant = closest(step, recorded);
    super(
      [
        `Execution ${executionId} has no record of "${step}".`,
        ...(meant === undefined ? [] : [`Did you mean "${meant}"?`]),
        recorded.length === 0 ? 'It has recorded nothing.' : `It has recorded ${listOf(recorded)}.`,
        'A step that failed last is not recorded: conductor.retry(id) runs it again.',
      ].join(' '),
    );
  }
}

function listOf(names: readonly string[]): string {
  const more = names.length - SHOWN;
  const shown = names.slice(0, SHOWN).map((name) => `"${name}"`);
  return shown.join(', ') + (more > 0 ? ' and more' : '');
}
