import type { ExecutionStatus } from './execution-status.js';

type Event =
  | 'claim'
  | 'succeed'
  | 'retry'
  | 'exhaust'
  | 'suspend'
  | 'release'
  | 'lose'
  | 'loseForGood'
  | 'diverge'
  | 'offer'
  | 'overdue'
  | 'resume'
  | 'cancel';

export type TransitionTable = Record<ExecutionStatus, Partial<Record<Event, ExecutionStatus>>>;

/** What an accepted execution is: claimed already, if the process that asks for it has a slot free. */
export const beginnings: ExecutionStatus[] = ['pending', 'running'];

/** Every change of status there is. SQL and docs are tested against it; an end absorbs, so it has no way out. */
export const transitions = {
  pending: { claim: 'running', overdue: 'failed', cancel: 'cancelled' },
  running: {
    succeed: 'completed',
    retry: 'pending',
    exhaust: 'failed',
    suspend: 'suspended',
    release: 'pending',
    lose: 'pending',
    loseForGood: 'failed',
    diverge: 'blocked',
  },
  // a suspended row is claimed as it is once its wait is over: waking it first would be one more write a wait
  suspended: { claim: 'running', overdue: 'failed', cancel: 'cancelled' },
  // offered to a worker other than the one whose code it did not fit, which claims it as it is
  blocked: { resume: 'pending', offer: 'running', overdue: 'failed', cancel: 'cancelled' },
  completed: {},
  failed: {},
  cancelled: {},
} as const satisfies TransitionTable;

/** Of what runs and was to be cancelled meanwhile. It is never suspended, nor pending again: the end of its handler is waited for. */
export const whenCancelRequested = {
  succeed: 'completed',
  retry: 'cancelled',
  exhaust: 'cancelled',
  release: 'cancelled',
  lose: 'cancelled',
  loseForGood: 'cancelled',
  diverge: 'cancelled',
} as const satisfies TransitionTable['running'];
