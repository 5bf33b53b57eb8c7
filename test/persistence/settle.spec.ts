import { v4 as randomUuid } from 'uuid';
import type { SettledOutcome } from '../../lib/execution/outcome.js';
import { channelOf } from '../../lib/persistence/channel.js';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import type { Fence } from '../../lib/persistence/repositories/worker.repository.js';
import { freezeClock } from '../support/frozen-clock.js';
import { completed, failure, openWait, record, Statements } from '../support/persistence.js';

const retry = (delayMs: number): SettledOutcome => ({ type: 'retry', error: failure, delayMs });
const released: SettledOutcome = { type: 'released' };
const blocked: SettledOutcome = { type: 'blocked', error: failure };
const failed: SettledOutcome = { type: 'failed', error: failure };

describe('settle', () => {
  let db: Statements;
  let task: TaskIds;
  let worker: number;

  beforeAll(async () => {
    db = await Statements.open();
    await freezeClock(db);
    worker = await db.worker();
  });

  beforeEach(async () => {
    task = await db.task(randomUuid());
  });

  afterAll(() => db.close());

  const claimed = async (): Promise<Fence> => {
    await db.enqueue(task);
    return await db.claimOne(worker, task);
  };
  const failures = ({ id }: Fence) =>
    db.test.query(
      `select claim, attempt, error from conductor.failure where execution_id = $1 order by claim`,
      [id],
    );
  const records = async ({ id }: Fence): Promise<[string, boolean][]> => {
    const rows = await db.test.query<{ name: string; optional: boolean }>(
      `select name, optional from conductor.step where execution_id = $1 order by seq nulls last, name`,
      [id],
    );
    return rows.map(({ name, optional }) => [name, optional]);
  };

  it('moves what completed from the hot table to its outcome, with the history of its attempts', async () => {
    const first = await claimed();
    const startedAt = new Date(await db.clock.now());
    await db.settle([first], retry(0));
    await db.clock.advance(5_000);
    const second = await db.claimOne(worker, task);
    await db.clock.advance(1_000);
    await expect(db.settle([second], completed(null))).resolves.toEqual(['applied']);
    await expect(db.run(second.id)).resolves.toBeUndefined();
    await expect(db.outcome(second.id)).resolves.toMatchObject({
      token: second.token,
      status: 4,
      claims: 2,
      failures: 1,
      losses: 0,
      result: null,
      error: null,
      started_at: startedAt,
      finished_at: new Date(await db.clock.now()),
    });
  });

  it('of a failed one keeps the error, and counts the attempt that failed', async () => {
    const first = await claimed();
    await db.settle([first], retry(0));
    const second = await db.claimOne(worker, task);
    await db.settle([second], { type: 'failed', error: { name: 'Last', message: 'x' } });
    await expect(db.outcome(second.id)).resolves.toMatchObject({
      status: 5,
      failures: 2,
      result: null,
      error: { name: 'Last', message: 'x' },
    });
    await expect(failures(second)).resolves.toMatchObject([
      { claim: 1, attempt: 1, error: failure },
      { claim: 2, attempt: 2, error: { name: 'Last' } },
    ]);
  });

  it('puts a retry off by the database’s time, and counts the failure', async () => {
    const fence = await claimed();
    await db.clock.advance(10_000);
    await db.settle([fence], retry(60_000));
    const at = await db.clock.now();
    await expect(db.run(fence.id)).resolves.toMatchObject({
      status: 0,
      token: null,
      worker_id: null,
      started: false,
      failures: 1,
      claims: 1,
      run_at: new Date(at + 60_000),
    });
    await db.clock.advance(59_999);
    await expect(db.claim(worker, [task])).resolves.toMatchObject({ executions: [], dueInMs: 1 });
    await db.clock.advance(1);
    await expect(db.claim(worker, [task])).resolves.toMatchObject({
      executions: [{ id: fence.id, failures: 1, claims: 2 }],
    });
  });

  it('tells the listeners of its queue of what is released, and of nothing else', async () => {
    const listener = db.database.ownClient();
    await listener.connect();
    const heard: string[] = [];
    listener.on('notification', ({ channel }) => heard.push(channel));
    const [own, other] = [await db.task(randomUuid(), { queue: 'told' }), task];
    for (const { queueId } of [own, other])
      await listener.query(`listen "${channelOf('conductor', queueId)}"`);
    const claimedOf = async (of: TaskIds) => {
      await db.enqueue(of);
      return await db.claimOne(worker, of);
    };
    await db.settle([await claimedOf(other)], retry(0));
    await db.settle([await claimedOf(other)], completed());
    await db.settle([await claimedOf(own), await claimedOf(own)], released);
    await listener.query('select 1'); // what was told before this reply has come
    await listener.end();
    expect(heard).toEqual([channelOf('conductor', own.queueId)]);
  });

  it('gives back what is released as it was: same place, same attempt, nothing noted', async () => {
    await db.enqueue(task, 1, { priority: 4 });
    const [before] = await db.test.query<{ run_at: Date }>(
      `select run_at from conductor.run where task_id = $1`,
      [task.taskId],
    );
    const fence = await db.claimOne(worker, task);
    await db.clock.advance(10_000);
    await db.settle([fence], released);
    await expect(db.run(fence.id)).resolves.toMatchObject({
      status: 0,
      token: null,
      failures: 0,
      losses: 0,
      priority: 4,
      run_at: before!.run_at,
    });
    await expect(failures(fence)).resolves.toEqual([]);
  });

  it('holds what diverged back from every claim, gives the attempt back and notes why', async () => {
    const fence = await claimed();
    await db.settle([fence], blocked);
    await expect(db.run(fence.id)).resolves.toMatchObject({ status: 3, token: null, failures: 0 });
    await expect(failures(fence)).resolves.toMatchObject([{ claim: 1, attempt: 1 }]);
    const reply = await db.claim(worker, [task]);
    expect(reply).toMatchObject({ executions: [], refused: false });
    expect(reply.dueInMs).toBeUndefined();
  });

  it('gives each entry of a mixed batch its own outcome', async () => {
    const outcomes = [completed('a'), failed, retry(1_000), released, blocked];
    await db.enqueue(task, outcomes.length);
    const { executions } = await db.claim(worker, [task]);
    await expect(
      db.executions.settle(
        executions.map(({ id, token }, i) => ({ id, token, outcome: outcomes[i]!, forget: false })),
        () => false,
      ),
    ).resolves.toEqual(outcomes.map(() => 'applied'));
    const rows = await Promise.all(
      executions.map(async ({ id }) => (await db.outcome(id)) ?? (await db.run(id))),
    );
    expect(rows.map((row) => row!['status'])).toEqual([4, 5, 0, 0, 3]);
    expect(rows.map((row) => row!['failures'])).toEqual([0, 1, 1, 0, 0]);
  });

  it('changes nothing at all when Postgres refuses one entry, and says that an item is at fault', async () => {
    await db.enqueue(task, 2);
    const { executions } = await db.claim(worker, [task]);
    const [good, bad] = executions.map(({ id, token }) => ({ id, token, forget: false }));
    await expect(
      db.executions.settle(
        [
          { ...good!, outcome: completed() },
          { ...bad!, outcome: { type: 'completed', result: 'no JSON' } },
        ],
        () => false,
      ),
    ).rejects.toMatchObject({ kind: 'item' });
    await expect(db.run(good!.id)).resolves.toMatchObject({ status: 1, token: good!.token });
  });

  /** Two results with a caught error between them, a sleep, a wait, and a step between two tries. */
  const eventful = async (): Promise<Fence> => {
    const fence = await claimed();
    await db.save(fence, [
      record('before', { seq: 1 }),
      record('caught', { seq: 2, status: 'failed', value: '{}' }),
      record('after', { seq: 3 }),
      record('slept', { seq: 4, kind: 'sleep', value: undefined }),
      record('between tries', { status: 'open', seq: undefined, tries: 1, dueInMs: 1_000 }),
      openWait('waiting', 60_000),
    ]);
    return fence;
  };
  const all = ['before', 'caught', 'after', 'slept', 'between tries', 'waiting'];

  it('forgets the step errors of a failed attempt, and lets what came after the first of them be skipped', async () => {
    const fence = await eventful();
    const neighbour = await eventful();
    await db.executions.settle(
      [
        { ...fence, outcome: retry(0), forget: true },
        { ...neighbour, outcome: retry(0), forget: false },
      ],
      () => false,
    );
    await expect(records(fence)).resolves.toEqual([
      ['before', false],
      ['after', true],
      ['slept', true],
      ['waiting', false],
    ]);
    await expect(records(neighbour)).resolves.toEqual(all.map((name) => [name, false]));
  });

  it('requires every record when a failed attempt had only a step between two tries', async () => {
    const fence = await claimed();
    await db.save(fence, [
      record('a', { seq: 1 }),
      record('b', { status: 'open', seq: undefined, tries: 1, dueInMs: 1_000 }),
    ]);
    await db.settle([fence], retry(0), true);
    await expect(records(fence)).resolves.toEqual([['a', false]]);
  });

  it('keeps the step errors of an attempt that is given back: it did not fail, and its next activation has to take the same path', async () => {
    for (const outcome of [released, blocked]) {
      const fence = await eventful();
      await db.settle([fence], outcome, true);
      await expect(records(fence)).resolves.toEqual(all.map((name) => [name, false]));
    }
  });

  it('forgets nothing for an attempt that has lost its right', async () => {
    const stale = await eventful();
    await db.settle([stale], released);
    await db.claimOne(worker, task);
    await expect(db.settle([stale], retry(0), true)).resolves.toEqual(['lost']);
    await expect(records(stale)).resolves.toEqual(all.map((name) => [name, false]));
  });

  it('can store no outcome that contradicts itself', async () => {
    const insert = (columns: string, values: string) =>
      db.test.query(
        `insert into conductor.outcome (id, finished_at, task_id, claims, failures, losses, ${columns})
         values ('${randomUuid()}', now(), 1, 1, 0, 0, ${values})`,
      );
    for (const [columns, values] of [
      ['status', '4'],
      ['status, result, error', `5, '1', '{}'`],
      ['status', '5'],
      ['status, error', `1, '{}'`],
      ['status, error', `7, '{}'`],
      ['status, pruned, result', `4, true, '1'`],
      ['status, pruned, error', `5, true, '{}'`],
    ]) {
      await expect(insert(columns!, values!)).rejects.toThrow(/check constraint/);
    }
    await expect(insert('status, result', `4, 'null'`)).resolves.toEqual([]);
  });

  it.each<[string, SettledOutcome, number | null]>([
    ['keeps it where it did not begin', { type: 'unbegun' }, 1_000],
    ['has none once it was released', released, null],
    ['has none once it was tried', retry(0), null],
    ['has none once it was blocked', blocked, null],
  ])('what was to begin within some time %s', async (_, outcome, left) => {
    await db.enqueue(task, 1, { expireAfterMs: 1_000 });
    const fence = await db.claimOne(worker, task);
    await db.settle([fence], outcome);
    const { run_at, expires_at } = (await db.run(fence.id))!;
    expect(expires_at && Number(expires_at) - Number(run_at)).toBe(left);
  });
});
