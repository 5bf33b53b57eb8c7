import { randomUUID } from 'node:crypto';
import type { RetentionPolicy } from '../../lib/execution/retention-policy.js';
import type { SettledOutcome } from '../../lib/execution/outcome.js';
import { reportCode } from '../../lib/execution/outcome.js';
import type { Pruning } from '../../lib/persistence/repositories/retention.repository.js';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import { inForeignTransaction } from '../support/foreign-session.js';
import { freezeClock } from '../support/frozen-clock.js';
import { completed, failure, openWait, record, Statements } from '../support/persistence.js';

const second = 1_000;
const minute = 60 * second;
const day = 24 * 60 * minute;
const failed: SettledOutcome = { type: 'failed', error: failure };

describe('prune', () => {
  let db: Statements;
  let worker: number;

  beforeEach(async () => {
    db = await Statements.open();
    await freezeClock(db);
    worker = await db.worker();
  });

  afterEach(() => db.close());

  const taskThatKeeps = (retention: RetentionPolicy, name: string = randomUUID()) =>
    db.task(name, { retention });

  /** Executions that have ended now, each with two steps and a failed attempt before the last one. */
  async function ended(task: TaskIds, outcome: SettledOutcome = completed(), count = 1) {
    const ids = await db.enqueue(task, count);
    for (const retry of [true, false]) {
      const { executions } = await db.claim(worker, [task], count);
      if (retry) {
        for (const fence of executions) await db.save(fence, [record('a'), record('b')]);
        await db.settle(executions, { type: 'retry', error: failure, delayMs: 0 });
      } else await db.settle(executions, outcome);
    }
    return ids;
  }

  const one = async (task: TaskIds, outcome?: SettledOutcome): Promise<string> =>
    (await ended(task, outcome))[0]!;

  /** Rows of each table, of one execution or of all. */
  async function rows(id?: string) {
    const [counts] = await db.test.query<Record<string, number>>(
      `select (select count(*) from conductor.execution where $1::uuid is null or id = $1)::int as execution,
              (select count(*) from conductor.outcome where $1::uuid is null or id = $1)::int as outcome,
              (select count(*) from conductor.step where $1::uuid is null or execution_id = $1)::int as step,
              (select count(*) from conductor.failure where $1::uuid is null or execution_id = $1)::int as failure`,
      [id ?? null],
    );
    return counts!;
  }
  const whole = { execution: 1, outcome: 1, step: 2, failure: 1 };
  const wholeAndFailed = { ...whole, failure: 2 };
  const stripped = { execution: 1, outcome: 1, step: 0, failure: 0 };
  const nothing = { execution: 0, outcome: 0, step: 0, failure: 0 };

  it('B3 removes what completed and what failed when each has been kept for as long as its task says', async () => {
    const task = await taskThatKeeps({ completedMs: 7 * day, failedMs: 14 * day });
    const other = await taskThatKeeps({ completedMs: 30 * day, failedMs: day });
    const [done, bad] = [await one(task), await one(task, failed)];
    const [otherDone, otherBad] = [await one(other), await one(other, failed)];
    await db.clock.advance(day - 1);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 0, more: false });
    await db.clock.advance(1);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 1, more: false });
    await expect(rows(otherBad)).resolves.toEqual(nothing);
    await expect(rows(otherDone)).resolves.toEqual(whole);
    await db.clock.advance(6 * day);
    await db.retention.prune();
    await expect(rows(done)).resolves.toEqual(nothing);
    await expect(rows(bad)).resolves.toEqual(wholeAndFailed);
    await db.clock.advance(7 * day);
    await db.retention.prune();
    await expect(rows(bad)).resolves.toEqual(nothing);
    await expect(rows(otherDone)).resolves.toEqual(whole);
    await db.clock.advance(16 * day);
    await db.retention.prune();
    await expect(rows()).resolves.toEqual(nothing);
  });

  it('B3 keeps for ever what its task says so of, and what no worker has named a retention for', async () => {
    const ids = [
      await one(await taskThatKeeps({ completedMs: undefined, failedMs: 0 })),
      await one(await taskThatKeeps({ completedMs: 0, failedMs: undefined }), failed),
    ];
    await db.clock.advance(3_650 * day);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 0, stripped: 0 });
    await expect(rows(ids[0]!)).resolves.toEqual(whole);
    await expect(rows(ids[1]!)).resolves.toEqual(wholeAndFailed);
  });

  it('B3 goes by the settings of now, also for what ended under others', async () => {
    const name = randomUUID();
    const task = await taskThatKeeps({ completedMs: 7 * day }, name);
    const id = await one(task);
    await db.clock.advance(7 * day);
    await taskThatKeeps({ completedMs: 30 * day }, name);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 0 });
    await taskThatKeeps({ completedMs: undefined }, name);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 0 });
    await taskThatKeeps({ completedMs: 6 * day }, name);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 1 });
    await expect(rows(id)).resolves.toEqual(nothing);
  });

  it('B3 removes a bounded number at a time, the oldest first, and says whether there is more', async () => {
    const task = await taskThatKeeps({ completedMs: 7 * day });
    const old: string[] = [];
    for (let i = 0; i < 3; i += 1) {
      old.push(...(await ended(task, completed(), 4)));
      await db.clock.advance(minute);
    }
    await db.clock.advance(7 * day);
    const young = await ended(task, completed(), 2);
    const left = async () =>
      (await db.test.query<{ id: string }>(`select id from conductor.outcome`)).map(({ id }) => id);
    await expect(db.retention.prune(undefined, 5)).resolves.toMatchObject({
      removed: 5,
      more: true,
    });
    expect((await left()).sort()).toEqual(expect.arrayContaining([...old.slice(8), ...young]));
    expect(await left()).not.toEqual(expect.arrayContaining([old[0]]));
    await expect(db.retention.prune(undefined, 5)).resolves.toMatchObject({
      removed: 5,
      more: true,
    });
    await expect(db.retention.prune(undefined, 5)).resolves.toMatchObject({
      removed: 2,
      more: false,
    });
    expect((await left()).sort()).toEqual([...young].sort());
  });

  it('B3 goes on where the call before it came to, over all tasks, and has missed nothing in the end', async () => {
    for (const keptMs of [day, 2 * day]) {
      const task = await taskThatKeeps({ completedMs: keptMs, failedMs: keptMs });
      for (const outcome of [completed(), failed, completed()]) {
        await ended(task, outcome, 3);
        await db.clock.advance(minute);
      }
    }
    await db.clock.advance(3 * day);
    let place: Pruning['reached'] | undefined;
    const removed: number[] = [];
    for (let more = true; more;) {
      const pruning = await db.retention.prune(place, 4, 3); // of each execution two steps: one at a time
      removed.push(pruning.removed);
      ({ more, reached: place } = pruning);
    }
    expect(removed.reduce((sum, n) => sum + n)).toBe(18);
    await expect(rows()).resolves.toEqual(nothing);
  });

  it('B3 removes a bounded number of steps at a time, but of no execution a part only', async () => {
    const task = await taskThatKeeps({ completedMs: 7 * day });
    const [id] = await db.enqueue(task);
    const fence = await db.claimOne(worker, task);
    await db.save(
      fence,
      Array.from({ length: 25 }, (_, seq) => record(`step ${seq}`, { seq })),
    );
    await db.settle([fence], completed());
    await db.clock.advance(7 * day);
    await expect(db.retention.prune(undefined, 10, 10)).resolves.toMatchObject({
      removed: 0,
      more: true,
    });
    await expect(rows(id!)).resolves.toEqual(stripped);
    await expect(db.outcome(id!)).resolves.toMatchObject({ pruned: true });
    await expect(db.retention.prune(undefined, 10, 10)).resolves.toMatchObject({
      removed: 1,
      more: false,
    });
    await expect(rows()).resolves.toEqual(nothing);
  });

  it('B3 never touches what has not ended, however old and whatever its retention', async () => {
    const task = await taskThatKeeps({ completedMs: 0, failedMs: 0 });
    const [running, parked, blocked] = [
      await claimed(task),
      await claimed(task),
      await claimed(task),
    ];
    const [pending] = await db.enqueue(task, 1, { delayMs: 1_000 * day });
    await db.save(running, [record('a'), record('b')]);
    await db.suspend(parked, [record('a'), openWait('long', 1_000 * day)]);
    await db.settle([blocked], { type: 'blocked', error: failure });
    await db.clock.advance(900 * day);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 0, stripped: 0 });
    await expect(rows()).resolves.toEqual({ execution: 4, outcome: 0, step: 4, failure: 1 });
    for (const id of [running.id, parked.id, blocked.id, pending!])
      await expect(db.run(id)).resolves.toBeDefined();
  });

  const claimed = async (task: TaskIds) => {
    await db.enqueue(task);
    return await db.claimOne(worker, task);
  };

  it('B3 strips at once what is kept for 0, and goes on refusing its id for ten minutes', async () => {
    const task = await taskThatKeeps({ completedMs: 0, failedMs: 0 });
    const [done, bad] = [await one(task), await one(task, failed)];
    await db.test.query(`update conductor.execution set headers = '{"tenant": "acme"}'`);
    const again = async () => {
      const item = { id: done, taskId: task.taskId, payload: '"again"' };
      return (await db.newExecutions.enqueue([item], [], 0)).reports;
    };
    await expect(db.retention.prune()).resolves.toMatchObject({ stripped: 0, brief: true }); // whoever waits shall have it
    await db.clock.advance(5 * second);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 0, stripped: 2 });
    for (const [id, status] of [
      [done, 4],
      [bad, 5],
    ] as const) {
      await expect(rows(id)).resolves.toEqual(stripped);
      await expect(db.outcome(id)).resolves.toMatchObject({ status, result: null, error: null });
      const payload = await db.test.query(
        'select payload, headers from conductor.execution where id = $1',
        [id],
      );
      expect(payload).toEqual([{ payload: null, headers: null }]);
    }
    await db.clock.advance(10 * minute - 5 * second - 1);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 0, stripped: 0 });
    await expect(again()).resolves.toEqual(['existing']);
    await db.clock.advance(1);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 2, stripped: 0 });
    await expect(rows()).resolves.toEqual(nothing);
    await expect(again()).resolves.toEqual(['created']);
  });

  it('B3 strips what is kept for less than ten minutes at its time, and removes it ten minutes after its end whatever the setting says then', async () => {
    const name = randomUUID();
    const id = await one(await taskThatKeeps({ completedMs: 2 * minute }, name));
    await db.clock.advance(2 * minute - 1);
    await expect(db.retention.prune()).resolves.toMatchObject({ stripped: 0 });
    await db.clock.advance(1);
    await expect(db.retention.prune()).resolves.toMatchObject({ stripped: 1 });
    await expect(rows(id)).resolves.toEqual(stripped);
    await taskThatKeeps({ completedMs: undefined }, name);
    await db.clock.advance(8 * minute);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 1, brief: false });
    await expect(rows()).resolves.toEqual(nothing);
  });

  it('B3 removes at once what has been kept for longer than ten minutes when its task no longer keeps anything', async () => {
    const name = randomUUID();
    await one(await taskThatKeeps({ completedMs: 30 * day }, name));
    await db.clock.advance(day);
    await taskThatKeeps({ completedMs: 0 }, name);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 1, stripped: 0 });
  });

  it('B3 strips before it works off what is old', async () => {
    await ended(await taskThatKeeps({ completedMs: day }), completed(), 5);
    await db.clock.advance(2 * day);
    const fresh = await one(await taskThatKeeps({ completedMs: 0 }));
    await db.clock.advance(5 * second);
    await expect(db.retention.prune(undefined, 3)).resolves.toMatchObject({
      stripped: 1,
      removed: 2,
    });
    await expect(rows(fresh)).resolves.toEqual(stripped);
  });

  it('B3 treats what was cancelled as what completed, and what was ended from outside as what failed', async () => {
    const task = await taskThatKeeps({ completedMs: day, failedMs: 2 * day });
    const cancelled = await one(task);
    await db.test.query(`update conductor.outcome set status = 6, result = null where id = $1`, [
      cancelled,
    ]);
    const late = randomUUID();
    await db.newExecutions.enqueue(
      [{ id: late, taskId: task.taskId, payload: '1', expireAfterMs: 1 }],
      [],
      0,
    );
    await db.clock.advance(1);
    await db.executions.endOverdue();
    await loseForGood(task);
    await expect(rows()).resolves.toMatchObject({ execution: 3, outcome: 3 });
    await db.clock.advance(day);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 1 });
    await expect(rows(cancelled)).resolves.toEqual(nothing);
    await db.clock.advance(day);
    await expect(db.retention.prune()).resolves.toMatchObject({ removed: 2 });
    await expect(rows()).resolves.toEqual(nothing);
  });

  /** An execution that runs alone, and has no loss left. */
  async function loseForGood(task: TaskIds): Promise<void> {
    const [id] = await db.enqueue(task);
    await db.test.query(`update conductor.run set alone = true, losses = 2 where id = $1`, [id]);
    const lease = second; // nobody is reaped within a lease of the server's start, which no test's clock can move
    const [victim, survivor] = [await db.worker(lease), await db.worker(lease)];
    const fence = await db.claimOne(victim, task);
    await db.executions.startAlone(fence.id, fence.token, () => false);
    await db.lapse(survivor, lease);
    await db.workers.recover(survivor);
  }

  it('B3 lets one worker prune at a time; another has nothing to do meanwhile, and waits for nobody', async () => {
    await ended(await taskThatKeeps({ completedMs: day }), completed(), 6);
    await db.clock.advance(day);
    await inForeignTransaction(db, async (first) => {
      const [pruned] = await first.query(`select * from conductor.prune(4, 100, null, null, null)`);
      expect(pruned).toMatchObject({ removed: 4, more: true });
      await expect(db.retention.prune()).resolves.toMatchObject({ removed: 0, more: false });
      await first.commit();
      await expect(db.retention.prune()).resolves.toMatchObject({ removed: 2, more: false });
    });
    await expect(rows()).resolves.toEqual(nothing);
  });

  it('B3 holds up no invoke, claim, step or settle while it works', async () => {
    const task = await taskThatKeeps({ completedMs: day });
    await ended(task, completed(), 6);
    await db.clock.advance(day);
    await inForeignTransaction(db, async (pruner) => {
      await pruner.query(`select * from conductor.prune(1000, 1000, null, null, null)`);
      const fence = await claimed(task);
      await expect(db.save(fence, [record('a')])).resolves.not.toContain(reportCode.busy);
      await expect(db.settle([fence], completed())).resolves.toEqual(['applied']);
      await pruner.commit();
      await expect(rows()).resolves.toEqual({ execution: 1, outcome: 1, step: 1, failure: 0 });
    });
  });
});
