import { statusCode } from '../../lib/execution/execution-status.js';
import { recordStatus } from '../../lib/execution/step-record.js';
import type { Change } from './harness/audit-trigger.js';
import type { History } from './harness/history.js';
import type { LedgerRow } from './harness/ledger.js';
import { loadA, orderSteps, priceOf } from './loads/load-a.js';

/** The one execution of the fabricated history. */
export const execution = '00000000-0000-4000-8000-00000000000e';

export const firstToken = '00000000-0000-4000-8000-000000000001';
export const secondToken = '00000000-0000-4000-8000-000000000002';

export const firstWorker = { id: 1, pid: 1001 };
export const secondWorker = { id: 2, pid: 1002 };

const { pending, running, completed } = statusCode;
const { reserve, price, confirm } = orderSteps;

export function change(
  given: Partial<Change> & Pick<Change, 'seq' | 'subject' | 'op' | 'statement'>,
): Change {
  return {
    at: given.seq * 1_000,
    txid: String(given.seq),
    execution,
    token: null,
    oldToken: null,
    workerId: null,
    oldWorkerId: null,
    status: null,
    oldStatus: null,
    claims: null,
    oldStarted: null,
    name: null,
    value: null,
    ...given,
  };
}

export function effect(given: Pick<LedgerRow, 'step' | 'claim' | 'effect' | 'at'>): LedgerRow {
  return { execution, pid: given.claim === 1 ? firstWorker.pid : secondWorker.pid, ...given };
}

function record(seq: number, name: string, token: string, value: string): Change {
  return change({
    seq,
    subject: 'step',
    op: 'insert',
    statement: 'save_steps',
    token,
    status: recordStatus.completed,
    name,
    value: JSON.stringify(value),
  });
}

/** Claimed, one step recorded, its worker killed, recovered, claimed again by another, completed: nothing in it is wrong. */
export function soundHistory(): History {
  const result = {
    reservation: 'effect of reserve',
    price: priceOf(0, 'effect of reserve'),
    confirmation: 'effect of confirm',
  };
  return {
    load: loadA,
    accepted: [{ id: execution, payload: { index: 0, reserveMs: 0, priceMs: 0, confirmMs: 0 } }],
    outcomes: [
      { execution, status: completed, claims: 2, failures: 0, losses: 1, result, error: null },
    ],
    changes: [
      change({ seq: 1, subject: 'run', op: 'insert', statement: 'enqueue', status: pending }),
      change({
        seq: 2,
        subject: 'run',
        op: 'update',
        statement: 'claim',
        token: firstToken,
        workerId: firstWorker.id,
        status: running,
        oldStatus: pending,
        claims: 1,
      }),
      record(3, reserve, firstToken, result.reservation),
      change({
        seq: 4,
        subject: 'run',
        op: 'update',
        statement: 'recover',
        oldToken: firstToken,
        oldWorkerId: firstWorker.id,
        status: pending,
        oldStatus: running,
        claims: 1,
        oldStarted: true,
      }),
      change({
        seq: 5,
        subject: 'run',
        op: 'update',
        statement: 'claim',
        token: secondToken,
        workerId: secondWorker.id,
        status: running,
        oldStatus: pending,
        claims: 2,
      }),
      record(6, price, secondToken, result.price),
      record(7, confirm, secondToken, result.confirmation),
      change({
        seq: 8,
        txid: 'the end',
        subject: 'run',
        op: 'delete',
        statement: 'settle',
        oldToken: secondToken,
        oldWorkerId: secondWorker.id,
        oldStatus: running,
        claims: 2,
      }),
      change({
        seq: 9,
        txid: 'the end',
        subject: 'outcome',
        op: 'insert',
        statement: 'settle',
        token: secondToken,
        status: completed,
        claims: 2,
      }),
    ],
    ledger: [effect({ step: reserve, claim: 1, effect: result.reservation, at: 2_500 })],
    committed: [effect({ step: confirm, claim: 2, effect: result.confirmation, at: 6_500 })],
    rest: { runs: [], workers: [secondWorker] },
    livePids: [secondWorker.pid],
    hitWorkers: [firstWorker.id],
    announcedStops: [],
    registrations: [firstWorker, secondWorker].map(({ id }) => ({ id, at: 0, steadySince: 0 })),
    heldUpMs: 0,
    deadlocks: 0,
    ends: [
      { pid: firstWorker.pid, expected: true, code: null, signal: 'SIGKILL', lastWords: [] },
      { pid: secondWorker.pid, expected: true, code: null, signal: 'SIGTERM', lastWords: [] },
    ],
    rejections: [],
  };
}
