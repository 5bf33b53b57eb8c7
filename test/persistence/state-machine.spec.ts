import { randomUUID } from 'node:crypto';
import {
  finalStatuses,
  statusCode,
  type ExecutionStatus,
} from '../../lib/execution/execution-status.js';
import {
  transitions,
  whenCancelRequested,
  type TransitionTable,
} from '../../lib/execution/execution-transitions.js';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import type { Fence } from '../../lib/persistence/repositories/worker.repository.js';
import { completed, failure, openWait, Statements } from '../support/persistence.js';

const LEASE_MS = 1_000;
const PATIENCE_MS = 5_000;
const table: TransitionTable = transitions;
type Event =
  keyof (typeof transitions)['running'] | keyof (typeof transitions)['blocked'] | 'claim';

describe('the statements follow the table of transitions', () => {
  let db: Statements;
  let survivor: number;

  beforeAll(async () => {
    db = await Statements.open();
    survivor = await db.worker(LEASE_MS);
  });

  afterAll(() => db.close());

  interface Subject extends Fence {
    task: TaskIds;
    worker: number;
  }

  /** An execution in a status, and the fence of the last attempt that it had. */
  async function subject(status: ExecutionStatus): Promise<Subject> {
    const task = await db.task(randomUUID(), { maxLosses: 1 });
    const worker = await db.worker(LEASE_MS);
    await db.enqueue(task);
    const fence = await db.claimOne(worker, task);
    if (status === 'pending') await db.settle([fence], { type: 'released' });
    if (status === 'suspended') await db.suspend(fence, [openWait('w', 1)]);
    if (status === 'blocked') await db.settle([fence], { type: 'blocked', error: failure });
    if (status === 'completed') await db.settle([fence], completed());
    if (status === 'cancelled') {
      await db.settle([fence], { type: 'released' });
      await db.cancel(fence.id);
    }
    if (status === 'failed') await db.settle([fence], { type: 'failed', error: failure });
    await db.clock.advance(5);
    return { ...fence, task, worker };
  }

  const lose = async () => {
    await db.lapse(survivor, LEASE_MS);
    await db.workers.recover(survivor);
  };

  const events: Record<Event, (of: Subject) => Promise<unknown>> = {
    claim: ({ worker, task }) => db.claim(worker, [task]),
    succeed: (of) => db.settle([of], completed()),
    retry: (of) => db.settle([of], { type: 'retry', error: failure, delayMs: 60_000 }),
    exhaust: (of) => db.settle([of], { type: 'failed', error: failure }),
    suspend: (of) => db.suspend(of, [openWait('later', 60_000)]),
    release: (of) => db.settle([of], { type: 'released' }),
    diverge: (of) => db.settle([of], { type: 'blocked', error: failure }),
    resume: ({ id }) => db.blocked.resume({ ids: [id] }, 10, PATIENCE_MS),
    offer: async ({ task }) => {
      const other = await db.worker(LEASE_MS);
      await db.clock.advance(1_000);
      // what waits in the queue is no offer
      await db.test.query(`update conductor.run set run_at = run_at + interval '1 h'`);
      await db.claimOffers(other, task);
    },
    overdue: async ({ id }) => {
      await db.test.query('update conductor.run set deadline_at = run_at where id = $1', [id]);
      await db.clock.advance(5);
      await db.executions.endOverdue();
    },
    cancel: ({ id }) => db.cancel(id),
    lose,
    loseForGood: async ({ id }) => {
      await db.test.query(`update conductor.run set alone = true where id = $1`, [id]);
      await lose();
    },
  };

  const statuses = Object.keys(statusCode) as ExecutionStatus[];

  for (const status of statuses) {
    for (const event of Object.keys(events) as Event[]) {
      const target = table[status][event];
      it(`${status} + ${event} → ${target ?? `${status}, as it was`}`, async () => {
        const of = await subject(status);
        await events[event](of);
        await expect(found(of)).resolves.toMatchObject(inStatus(target ?? status));
      });
    }
  }

  for (const event of Object.keys(events) as Event[]) {
    const target = (whenCancelRequested as TransitionTable['running'])[event];
    it(`K1 running, cancel requested + ${event} → ${target ?? 'running, as it was'}`, async () => {
      const of = await subject('running');
      await expect(db.cancel(of.id, 'no longer needed')).resolves.toBe('requested');
      await events[event](of);
      await expect(found(of)).resolves.toMatchObject({
        ...inStatus(target ?? 'running'),
        ...(target === 'cancelled' && {
          token: of.token,
          error: { code: 'CONDUCTOR_EXECUTION_CANCELLED', message: 'no longer needed' },
        }),
      });
    });
  }

  /** A run or an outcome, never both. */
  async function found({ id }: Subject) {
    const [run, outcome] = [await db.run(id), await db.outcome(id)];
    return { ...run, ...outcome, runs: run !== undefined, ended: outcome !== undefined };
  }

  function inStatus(name: ExecutionStatus) {
    const ended = (finalStatuses as readonly string[]).includes(name);
    return { status: statusCode[name], runs: !ended, ended };
  }
});
