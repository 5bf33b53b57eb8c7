import { DivergenceError } from '../errors/divergence.error.js';
import type { ClaimedExecution } from '../execution/claimed-execution.js';
import type { StepRecord } from '../execution/step-record.js';
import type { Ask } from './ask.js';
import type { RecordedOutcomes } from './recorded-outcomes.js';

type Asked = Pick<Ask, 'name' | 'kind'>;

/** Says in which way a handler no longer matches what was recorded. */
export class Divergences {
  constructor(
    private readonly execution: ClaimedExecution,
    private readonly recorded: RecordedOutcomes,
  ) {}

  /** It asked for another kind of thing under a recorded name. */
  otherKind(record: StepRecord, found: Asked): DivergenceError {
    return this.error(
      `The record has a ${record.kind} under the name "${found.name}", the handler asked for a ${found.kind}`,
      [record],
      found,
    );
  }

  /** The record does not tell which of several parallel calls of a `@Step` this one is. */
  ambiguous(name: string): DivergenceError {
    const record = this.recorded.get(name);
    return this.error(
      `Several calls of ${name} run side by side, and the record does not tell which is which: give @Step a key`,
      record === undefined ? this.recorded.remaining : [record],
      { name, kind: 'step' },
    );
  }

  /** It waits for something else than what comes next. */
  unasked(found: Ask | undefined): DivergenceError {
    const hint =
      found?.kind !== 'step' || found.fingerprint === undefined
        ? ''
        : '. If an argument of a @Step has changed that is called side by side with others, give it a key';
    return this.error(
      `The handler waits without asking for what was recorded${hint}`,
      this.recorded.remaining,
      found,
    );
  }

  /** It returned before it had asked for these. */
  endedEarly(unasked: StepRecord[]): DivergenceError {
    return this.error('The handler ended without asking for what was recorded', unasked);
  }

  private error(reason: string, expected: Asked[], found?: Asked): DivergenceError {
    return new DivergenceError(this.execution.id, this.execution.task.name, {
      expected: expected.map(({ name, kind }) => ({ name, kind })),
      ...(found && { found: { name: found.name, kind: found.kind } }),
      reason,
    });
  }
}
