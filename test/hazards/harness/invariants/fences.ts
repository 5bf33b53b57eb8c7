import {
  statusCode,
  statusName,
  type ExecutionStatus,
} from '../../../../lib/execution/execution-status.js';
import { beginnings, transitions } from '../../../../lib/execution/execution-transitions.js';
import type { Change } from '../audit-trigger.js';
import { byExecution } from '../history.js';
import type { Invariant } from './invariant.js';

/** No outcome and no record is accepted from an attempt whose token is not the execution's own at that moment. */
export const stale: Invariant = {
  name: 'stale',
  violations: ({ changes }) => [...byExecution(changes).values()].flatMap(staleWrites),
};

/** Every change of status is one of the transition table. */
export const transition: Invariant = {
  name: 'illegal transition',
  violations: ({ changes }) =>
    changes.flatMap((change) => {
      const { subject, op, execution, statement, oldStatus, status } = change;
      if (subject === 'outcome' || subject === 'step' || op === 'delete' || oldStatus === status)
        return [];
      const to = statusName(status!);
      if (op === 'insert') return beginnings.includes(to) ? [] : [`${execution} began as ${to}`];
      const from = statusName(oldStatus!);
      const allowed: ExecutionStatus[] = Object.values(transitions[from]);
      return allowed.includes(to)
        ? []
        : [`${execution} went from ${from} to ${to} by ${statement}`];
    }),
};

function staleWrites(changes: Change[]): string[] {
  const found: string[] = [];
  let token: string | null = null;
  // the token as it was before the transaction that is being looked at: an end takes it away in its own statement
  let tokenBefore: string | null = null;
  let txid: string | undefined;
  for (const change of changes) {
    if (change.txid !== txid) {
      txid = change.txid;
      tokenBefore = token;
    }
    if (change.subject === 'run') {
      token = change.status === statusCode.running ? change.token : null;
    } else if (isWriteOfAnAttempt(change) && change.token !== tokenBefore) {
      const what = change.subject === 'step' ? `the record "${change.name}"` : 'its outcome';
      found.push(
        `${change.execution}: ${what} was written by ${change.statement} with token ${change.token} while ${
          tokenBefore ?? 'none'
        } was authorised`,
      );
    }
  }
  return found;
}

function isWriteOfAnAttempt({ subject, op, token, oldToken, status, oldStatus }: Change): boolean {
  if (op === 'delete') return false; // steps that a failed attempt forgets: no token is in the row to be compared
  return op === 'insert' || (subject === 'step' && (token !== oldToken || status !== oldStatus));
}
