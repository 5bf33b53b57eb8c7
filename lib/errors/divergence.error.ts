import { ConductorError } from './conductor.error.js';

/** A step or a wait, by its name and what it is. */
export interface NamedCall {
  name: string;
  kind: string;
}

/** How a handler differs from what an earlier activation recorded. */
export interface Divergence {
  /** Recorded, and not asked for. */
  expected: readonly NamedCall[];
  /** Asked for in its place. */
  found?: NamedCall;
  /** A sentence without its full stop. */
  reason: string;
}

/** Of a long record the first ones say enough. */
const SHOWN = 10;

/** A handler that was replayed does not match the record of its execution, mostly because its code changed while the execution
 *  was under way. The execution is blocked, and nothing was run that could have run before. */
export class DivergenceError extends ConductorError {
  readonly code = 'CONDUCTOR_DIVERGENCE';

  constructor(
    readonly executionId: string,
    readonly task: string,
    readonly diff: Divergence,
  ) {
    super(
      [
        `Execution ${executionId} of task "${task}" does not match its record: ${diff.reason}.`,
        ...(diff.expected.length > 0 ? [`Recorded: ${listOf(diff.expected)}.`] : []),
        ...(diff.found === undefined ? [] : [`Asked for: ${describe(diff.found)}.`]),
        'It is blocked until code that matches takes it up: bring the recorded names back, or let a worker with the earlier ' +
          'code finish it.',
      ].join(' '),
    );
  }
}

function listOf(calls: readonly NamedCall[]): string {
  const more = calls.length - SHOWN;
  return calls.slice(0, SHOWN).map(describe).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function describe({ name, kind }: NamedCall): string {
  return `${kind} "${name}"`;
}
