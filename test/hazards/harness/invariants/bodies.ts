import { statusCode } from '../../../../lib/execution/execution-status.js';
import { recordStatus } from '../../../../lib/execution/step-record.js';
import type { Change } from '../audit-trigger.js';
import { byExecution, grouped, type History } from '../history.js';
import type { LedgerRow } from '../ledger.js';
import type { Invariant } from './invariant.js';

/** A body does not run again once it is recorded, and what is recorded did run. */
export const doubled: Invariant = {
  name: 'doubled',
  violations({ load, changes, ledger }) {
    const bodiesOf = byExecution(ledger);
    const watched = new Set(load.bodies.map(({ step }) => step));
    return recordings(changes)
      .filter(({ step }) => watched.has(step))
      .flatMap(({ execution, step, at, claim, value }) => {
        const runs = (bodiesOf.get(execution) ?? []).filter((run) => run.step === step);
        const again = runs.filter((run) => run.at > at || run.claim > claim);
        return [
          ...again.map((run) => describeAgain(run, claim)),
          ...(runs.some(({ effect }) => effect === value)
            ? []
            : [
                `${execution}: "${step}" was recorded by claim ${claim}, and no body left that effect`,
              ]),
        ];
      });
  },
};

/** Each body ran at least once in a completed execution, and in no claim more often than its tries. */
export const bodyCounts: Invariant = {
  name: 'bodies out of bounds',
  violations({ load, outcomes, ledger, committed }) {
    const bodiesOf = byExecution(ledger);
    const missing = outcomes
      .filter(({ status }) => status === statusCode.completed)
      .flatMap(({ execution }) =>
        load.bodies
          .filter(({ step }) => !bodiesOf.get(execution)?.some((run) => run.step === step))
          .map(({ step }) => `${execution} completed, and the body of "${step}" never ran`),
      );
    const triesOf = new Map(load.bodies.map(({ step, tries }) => [step, tries]));
    const perClaim = grouped(
      ledger,
      (run) => `${run.execution} "${run.step}" in claim ${run.claim}`,
    );
    const tooMany = [...perClaim]
      .filter(([, runs]) => runs.length > (triesOf.get(runs[0]!.step) ?? 0))
      .map(([body, runs]) => `${body}: ran ${runs.length} times`);
    return [...missing, ...tooMany, ...beyondClaims(outcomes, [...ledger, ...committed])];
  },
};

function beyondClaims(outcomes: History['outcomes'], effects: LedgerRow[]): string[] {
  const claims = new Map(outcomes.map((outcome) => [outcome.execution, outcome.claims]));
  return effects
    .filter(({ execution, claim }) => claim > (claims.get(execution) ?? claim))
    .map(
      ({ execution, step, claim }) =>
        `${execution} "${step}" ran in claim ${claim}, which never was`,
    );
}

interface Recording {
  execution: string;
  step: string;
  at: number;
  claim: number;
  value: unknown;
}

/** Each recorded result with the claim that recorded it. */
function recordings(changes: Change[]): Recording[] {
  const claimOf = new Map<string, number>();
  const found: Recording[] = [];
  for (const { subject, status, execution, claims, name, value, at } of changes) {
    if (subject === 'run' && status === statusCode.running) claimOf.set(execution, claims!);
    if (subject !== 'step' || status !== recordStatus.completed) continue;
    found.push({
      execution,
      step: name!,
      at,
      claim: claimOf.get(execution) ?? 0,
      value: value === null ? undefined : JSON.parse(value),
    });
  }
  return found;
}

function describeAgain({ execution, step, claim, pid }: LedgerRow, recordedBy: number): string {
  return `${execution}: the body of "${step}" ran in claim ${claim} (pid ${pid}) after claim ${recordedBy} had recorded it`;
}
