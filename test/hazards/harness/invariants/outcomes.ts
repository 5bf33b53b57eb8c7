import { statusCode, statusName } from '../../../../lib/execution/execution-status.js';
import { recordStatus } from '../../../../lib/execution/step-record.js';
import { byExecution, type History } from '../history.js';
import type { Invariant } from './invariant.js';

/** Every acknowledged invoke has its outcome, and it is the right one. */
export const lost: Invariant = {
  name: 'lost',
  violations({ load, accepted, outcomes, changes }) {
    const outcomeOf = new Map(outcomes.map((outcome) => [outcome.execution, outcome]));
    const changesOf = byExecution(changes);
    return accepted.flatMap(({ id, payload }) => {
      const outcome = outcomeOf.get(id);
      if (outcome === undefined) return [`${id} was acknowledged and has no outcome`];
      const failsWith = load.failsWith?.(payload);
      if (failsWith !== undefined)
        return outcome.status === statusCode.failed && outcome.error?.code === failsWith
          ? []
          : [`${id} is ${statusName(outcome.status)}, and should have failed with ${failsWith}`];
      if (outcome.status !== statusCode.completed)
        return [
          `${id} is ${statusName(outcome.status)}: ${outcome.error?.code ?? ''} ${outcome.error?.message ?? ''}`,
        ];
      const problem = load.problemWith(payload, outcome.result, recorded(changesOf.get(id) ?? []));
      return problem === undefined ? [] : [`${id}: ${problem}`];
    });
  },
};

/** An outcome is written once and never changes; nothing of the execution runs after it. */
export const finality: Invariant = {
  name: 'outcome changed',
  violations({ outcomes, changes }) {
    const found: string[] = [];
    const ended = new Set<string>();
    for (const { subject, op, execution, statement, status } of changes) {
      if (subject === 'outcome') {
        if (op !== 'insert') found.push(`${execution}: its outcome met an ${op} by ${statement}`);
        else if (ended.has(execution))
          found.push(`${execution}: a second outcome was written by ${statement}`);
        ended.add(execution);
      } else if (subject === 'run' && status !== null && ended.has(execution)) {
        found.push(`${execution} became ${statusName(status)} after its outcome, by ${statement}`);
      }
    }
    // what the audit did not see it cannot vouch for
    for (const { execution } of outcomes)
      if (!ended.has(execution)) found.push(`${execution}: the audit saw no outcome being written`);
    return found;
  },
};

function recorded(changes: History['changes']): Map<string, unknown> {
  return new Map(
    changes
      .filter(({ subject, status }) => subject === 'step' && status === recordStatus.completed)
      .map(({ name, value }) => [
        name!,
        value === null ? undefined : (JSON.parse(value) as unknown),
      ]),
  );
}
