import { v4 as randomUuid } from 'uuid';
import { statusCode } from '../../lib/execution/execution-status.js';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import { inForeignTransaction, somebodyWaits } from '../support/foreign-session.js';
import { completed, failure, openWait, Statements } from '../support/persistence.js';

describe('a cancel', () => {
  let db: Statements;
  let task: TaskIds;
  let worker: number;

  beforeAll(async () => {
    db = await Statements.open();
  });

  beforeEach(async () => {
    await db.clear();
    task = await db.task(randomUuid());
    worker = await db.worker();
  });

  afterAll(() => db.close());

  const pending = async () => (await db.enqueue(task))[0]!;
  const running = async () => {
    await db.enqueue(task);
    return await db.claimOne(worker, task);
  };

  it('K1 of what nobody runs ends it, with its reason; a second one comes too late', async () => {
    const id = await pending();
    await expect(db.cancel(id, 'not needed')).resolves.toBe('cancelled');
    await expect(db.run(id)).resolves.toBeUndefined();
    await expect(db.outcome(id)).resolves.toMatchObject({
      status: statusCode.cancelled,
      error: { name: 'ExecutionCancelledError', message: 'not needed' },
      result: null,
      failures: 0,
    });
    await expect(db.cancel(id)).resolves.toBe('too-late');
    const { executions } = await db.claim(worker, [task]);
    expect(executions).toEqual([]);
  });

  it('K1 without a reason leaves none; an id that never was is unknown', async () => {
    const id = await pending();
    await expect(db.cancel(id)).resolves.toBe('cancelled');
    await expect(db.outcome(id)).resolves.toMatchObject({ error: null });
    await expect(db.cancel(randomUuid())).resolves.toBe('unknown');
  });

  it('K1 of what runs is requested, as often as it is asked, and the first reason stays', async () => {
    const fence = await running();
    await expect(db.cancel(fence.id, 'first')).resolves.toBe('requested');
    await expect(db.cancel(fence.id, 'second')).resolves.toBe('requested');
    await expect(db.run(fence.id)).resolves.toMatchObject({
      status: statusCode.running,
      token: fence.token,
      cancel_requested: true,
    });
    await db.settle([fence], { type: 'released' });
    await expect(db.outcome(fence.id)).resolves.toMatchObject({ error: { message: 'first' } });
    await expect(db.cancel(fence.id)).resolves.toBe('too-late');
  });

  it('that is sent again after a lost reply is answered as it was', async () => {
    const at = randomUuid();
    const id = await pending();
    await db.cancel(id, 'once', at);
    await expect(db.cancel(id, 'once', at)).resolves.toBe('cancelled');
    const fence = await running();
    await db.cancel(fence.id, 'once', at);
    await expect(db.cancel(fence.id, 'once', at)).resolves.toBe('requested');
    await db.settle([fence], completed());
    await expect(db.cancel(fence.id, 'once', at)).resolves.toBe('requested');
    await expect(db.cancel(fence.id, 'another')).resolves.toBe('too-late');
  });

  it('K1 leaves a result that comes all the same, and ends a failure without counting it', async () => {
    const [returned, failed] = [await running(), await running()];
    await db.cancel(returned.id);
    await db.cancel(failed.id);
    await expect(db.settle([returned], completed('done'))).resolves.toEqual(['applied']);
    await expect(db.settle([failed], { type: 'failed', error: failure })).resolves.toEqual([
      'applied',
    ]);
    await expect(db.outcome(returned.id)).resolves.toMatchObject({
      status: statusCode.completed,
      result: 'done',
    });
    await expect(db.outcome(failed.id)).resolves.toMatchObject({
      status: statusCode.cancelled,
      failures: 0,
      error: null,
    });
    // sent again after a lost reply
    await expect(db.settle([failed], { type: 'failed', error: failure })).resolves.toEqual([
      'duplicate',
    ]);
  });

  it('is told where a suspension is tried, which does not come about, in a batch with others that do', async () => {
    const [cancelled, other] = [await running(), await running()];
    await db.cancel(cancelled.id, 'stop');
    const item = (fence: typeof other, dueInMs: number) => ({
      ...fence,
      records: [openWait('w', dueInMs), openWait('v', 90_000)],
    });
    const goOn = () => false;
    await expect(
      db.executions.suspend([item(cancelled, 60_000), item(other, 60_000)], goOn),
    ).resolves.toEqual([{ type: 'cancelled', reason: 'stop' }, { type: 'parked' }]);
    // also where a wait is over
    await expect(db.executions.suspend([item(cancelled, -5)], goOn)).resolves.toEqual([
      { type: 'cancelled', reason: 'stop' },
    ]);
  });

  it('is brought by each heartbeat of its worker until it has ended, and by no other worker’s', async () => {
    const [cancelled, other] = [await running(), await running()];
    const beat = async (of: number) => (await db.workers.beat(of, [], [cancelled, other]))!;
    await expect(beat(worker)).resolves.toMatchObject({ cancelled: [], orphans: [] });
    await db.cancel(cancelled.id, 'stop');
    for (let i = 0; i < 2; i += 1)
      await expect(beat(worker)).resolves.toMatchObject({
        cancelled: [{ ...cancelled, reason: 'stop' }],
        orphans: [],
      });
    await expect(beat(await db.worker())).resolves.toMatchObject({ cancelled: [] });
    await db.settle([cancelled], { type: 'released' });
    await expect(beat(worker)).resolves.toMatchObject({ cancelled: [] });
  });

  it('ends what its worker owns without knowing it', async () => {
    const [cancelled, other] = [await running(), await running()];
    await db.cancel(cancelled.id, 'stop');
    const { orphans } = (await db.workers.beat(worker, [], []))!;
    expect(orphans.map(({ id }) => id).toSorted()).toEqual([cancelled.id, other.id].toSorted());
    await db.workers.releaseOrphans(orphans);
    await expect(db.outcome(cancelled.id)).resolves.toMatchObject({
      status: statusCode.cancelled,
      token: cancelled.token,
      error: { message: 'stop' },
    });
    await expect(db.run(other.id)).resolves.toMatchObject({ status: statusCode.pending });
  });

  it('K2 that crosses a claim, a settle or a suspension waits for it, and is answered by what came of it', async () => {
    const [completes, fails, suspends] = [await running(), await running(), await running()];
    const claimed = await pending();
    const crossing = async (statement: string, id: string, rollback = false) => {
      let answer: Promise<string> | undefined;
      await inForeignTransaction(db, async (foreign) => {
        await foreign.query(statement);
        answer = db.cancel(id, 'crossing');
        await somebodyWaits(db);
        await (rollback ? foreign.rollback() : foreign.commit());
        await answer;
      });
      return await answer;
    };
    const settle = ({ id, token }: typeof fails, outcome: number, value: string) =>
      `select * from conductor.settle(array['${id}']::uuid[], array['${token}']::uuid[], array[${outcome}]::smallint[],
         array['${value}'], array[0]::bigint[], array[false])`;
    const take = (id: string) =>
      `update conductor.run set status = ${statusCode.running}, token = gen_random_uuid(), worker_id = ${worker} where id = '${id}'`;
    await expect(crossing(take(claimed), claimed, true)).resolves.toBe('cancelled');
    const again = await pending();
    await expect(crossing(take(again), again)).resolves.toBe('requested');
    await expect(crossing(settle(completes, 0, '1'), completes.id)).resolves.toBe('too-late');
    await expect(
      crossing(settle(fails, 2, '{"name":"Error","message":"no"}'), fails.id),
    ).resolves.toBe('cancelled');
    await expect(
      crossing(
        `update conductor.run set status = ${statusCode.suspended}, token = null, worker_id = null, started = false
         where id = '${suspends.id}'`,
        suspends.id,
      ),
    ).resolves.toBe('cancelled');
  });

  it('K2 and what comes at the same instant, in many interleavings: one outcome, and the answer agrees with it', async () => {
    const seen = new Set<string>();
    const contradictions: string[] = [];
    for (let round = 0; round < 240; round += 1) {
      const kind = (['claim', 'complete', 'fail', 'retry', 'release', 'suspend'] as const)[
        round % 6
      ]!;
      const fence = kind === 'claim' ? undefined : await running();
      const id = fence?.id ?? (await pending());
      const act = {
        claim: () => db.claim(worker, [task]),
        complete: () => db.settle([fence!], completed()),
        fail: () => db.settle([fence!], { type: 'failed', error: failure }),
        retry: () => db.settle([fence!], { type: 'retry', error: failure, delayMs: 0 }),
        release: () => db.settle([fence!], { type: 'released' }),
        suspend: () => db.suspend(fence!, [openWait('w', 60_000)]),
      }[kind];
      const pair: [() => Promise<unknown>, () => Promise<unknown>] = [
        () => db.cancel(id, 'race'),
        act,
      ];
      if (round % 12 >= 6) pair.reverse();
      const answers = await Promise.all(pair.map((start) => start()));
      const answer = answers[round % 12 >= 6 ? 1 : 0] as string;
      const report = JSON.stringify(answers[round % 12 >= 6 ? 0 : 1]);
      const outcome = await db.outcome(id);
      const run = await db.run(id);
      expect((outcome === undefined) !== (run === undefined)).toBe(true);
      const status = Number((outcome ?? run)!['status']);
      const name = Object.entries(statusCode).find(([, code]) => code === status)![0];
      const story = `${kind}: ${report}, cancel: ${answer}, in the end ${name}`;
      seen.add(story);
      // what is running was just claimed, or is told so, or was locked for the moment
      const fits: Record<string, boolean> = {
        cancelled: name === 'cancelled' && run === undefined,
        requested:
          name === 'running'
            ? run!['cancel_requested'] === true
            : ['cancelled', 'completed'].includes(name),
        'too-late': ['completed', 'failed'].includes(name),
      };
      const parked = kind === 'suspend' && report.includes('parked');
      if (fits[answer] !== true || (parked && answer !== 'cancelled')) contradictions.push(story);
    }
    expect(contradictions).toEqual([]);
    expect(seen.size).toBeGreaterThan(6); // both came first, of most kinds
  });

  it('goes with its execution when retention removes it', async () => {
    const brief = await db.task(randomUuid(), { retention: { completedMs: 0 } });
    await db.enqueue(brief);
    const fence = await db.claimOne(worker, brief);
    await db.cancel(fence.id, 'secret');
    const requested = () =>
      db.test.query(`select 1 from conductor.cancellation where execution_id = $1`, [fence.id]);
    await db.settle([fence], { type: 'released' });
    await expect(requested()).resolves.toHaveLength(1);
    await db.clock.advance(6_000);
    await db.retention.prune();
    await expect(requested()).resolves.toHaveLength(0);
  });
});
