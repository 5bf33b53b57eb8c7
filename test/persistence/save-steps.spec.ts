import { v4 as randomUuid } from 'uuid';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import type { Fence } from '../../lib/persistence/repositories/worker.repository.js';
import { inForeignTransaction } from '../support/foreign-session.js';
import { freezeClock } from '../support/frozen-clock.js';
import { completed, failure, openWait, record, Statements } from '../support/persistence.js';

describe('saving steps', () => {
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
  const row = async ({ id }: Fence, name: string) => {
    const [found] = await db.test.query(
      `select * from conductor.step where execution_id = $1 and name = $2`,
      [id, name],
    );
    return found;
  };
  const betweenTries = (tries: number, dueInMs: number) =>
    record('step', { status: 'open', seq: undefined, value: undefined, tries, dueInMs });

  it('stores what a handler was given, with the database’s time', async () => {
    const fence = await claimed();
    await expect(
      db.save(fence, [
        record('paid', { seq: 7, value: '{"z": 1, "a": 2}', fingerprint: '-9223372036854775808' }),
        openWait('wait', 60_000),
      ]),
    ).resolves.toEqual(['applied']);
    const now = await db.clock.now();
    await expect(row(fence, 'paid')).resolves.toMatchObject({
      token: fence.token,
      seq: 7,
      kind: 0,
      status: 1,
      alone: true,
      optional: false,
      fingerprint: '-9223372036854775808',
      recorded_at: new Date(now),
      due_at: null,
    });
    await expect(row(fence, 'wait')).resolves.toMatchObject({
      kind: 1,
      status: 0,
      seq: null,
      value: null,
      due_at: new Date(now + 60_000),
    });
  });

  it('never writes a record a second time, neither its value nor its status', async () => {
    const fence = await claimed();
    await db.save(fence, [record('a', { value: '"first"' })]);
    await expect(
      db.save(fence, [record('a', { status: 'failed', value: '"second"', seq: 9 })]),
    ).resolves.toEqual(['duplicate']);
    await db.settle([fence], { type: 'released' });
    const next = await db.claimOne(worker, task);
    await expect(db.save(next, [record('a', { value: '"third"' })])).resolves.toEqual([
      'duplicate',
    ]);
    await expect(row(fence, 'a')).resolves.toMatchObject({
      value: 'first',
      status: 1,
      seq: 1,
      token: fence.token,
    });
  });

  it('gives an optional record that is seen again a new place, once, and keeps its value', async () => {
    const fence = await claimed();
    await db.save(fence, [
      record('error', { status: 'failed', value: JSON.stringify(failure) }),
      record('later', { seq: 2, value: '"first"' }),
    ]);
    await db.settle([fence], { type: 'retry', error: failure, delayMs: 0 }, true);
    await expect(row(fence, 'later')).resolves.toMatchObject({ optional: true, seq: 2 });
    const next = await db.claimOne(worker, task);
    const again = record('later', { seq: 3, value: undefined });
    await expect(db.save(next, [again])).resolves.toEqual(['applied']);
    const seen = { optional: false, seq: 3, value: 'first', token: next.token };
    await expect(row(fence, 'later')).resolves.toMatchObject(seen);
    await expect(db.save(next, [again])).resolves.toEqual(['duplicate']);
    await expect(row(fence, 'later')).resolves.toMatchObject(seen);
  });

  it('lets an open wait keep the time it was first due at, until it is over', async () => {
    const fence = await claimed();
    await db.save(fence, [openWait('wait', 60_000)]);
    const due = new Date((await db.clock.now()) + 60_000);
    await db.clock.advance(10_000);
    await expect(db.save(fence, [openWait('wait', 60_000)])).resolves.toEqual(['applied']);
    await expect(row(fence, 'wait')).resolves.toMatchObject({ due_at: due, status: 0 });
    const over = record('wait', { kind: 'sleep', seq: 3, value: undefined });
    await expect(db.save(fence, [over])).resolves.toEqual(['applied']);
    await expect(row(fence, 'wait')).resolves.toMatchObject({ due_at: due, status: 1, seq: 3 });
    await expect(db.save(fence, [openWait('wait', 1)])).resolves.toEqual(['duplicate']);
    await expect(row(fence, 'wait')).resolves.toMatchObject({ due_at: due, status: 1, seq: 3 });
  });

  it('gives a step between two tries a new time with each of them, then its result', async () => {
    const fence = await claimed();
    await db.save(fence, [betweenTries(1, 1_000)]);
    await db.clock.advance(1_000);
    await expect(db.save(fence, [betweenTries(2, 5_000)])).resolves.toEqual(['applied']);
    const due = new Date((await db.clock.now()) + 5_000);
    await expect(row(fence, 'step')).resolves.toMatchObject({ tries: 2, due_at: due, seq: null });
    await db.save(fence, [record('step', { seq: 1, tries: 2, value: '"at last"' })]);
    await expect(row(fence, 'step')).resolves.toMatchObject({
      status: 1,
      seq: 1,
      due_at: null,
      value: 'at last',
    });
  });

  it('takes a thousand records of many executions in one statement', async () => {
    await db.enqueue(task, 50);
    const { executions } = await db.claim(worker, [task]);
    const items = executions.map(({ id, token }) => ({
      id,
      token,
      records: Array.from({ length: 20 }, (_, i) => record(`s${i}`, { seq: i + 1 })),
    }));
    const reports = await db.steps.save(items, () => false);
    expect(reports).toEqual(items.map(() => 'applied'));
    await expect(
      db.test.query(
        `select count(*)::int as count from conductor.step where execution_id = any($1)`,
        [items.map(({ id }) => id)],
      ),
    ).resolves.toEqual([{ count: 1_000 }]);
  });

  it('reports the worst of an item’s records, and stores those that can be', async () => {
    const fence = await claimed();
    const other = await claimed();
    await db.save(fence, [record('known')]);
    await expect(
      db.steps.save(
        [
          { ...other, records: [record('a'), record('b', { seq: 2 })] },
          { ...fence, records: [record('new', { seq: 2 }), record('known')] },
          { ...other, token: randomUuid(), records: [record('c')] },
        ],
        () => false,
      ),
    ).resolves.toEqual(['applied', 'duplicate', 'lost']);
    await expect(row(fence, 'new')).resolves.toBeDefined();
    await expect(row(other, 'c')).resolves.toBeUndefined();
  });

  it('reports a stale entry as lost beside a current one that writes a record of the same name', async () => {
    const stale = await claimed();
    await db.settle([stale], { type: 'released' });
    const current = await db.claimOne(worker, task);
    await expect(
      db.steps.save(
        [
          { ...stale, records: [record('charge', { value: '"stale"' })] },
          { ...current, records: [record('charge', { value: '"current"' })] },
        ],
        () => false,
      ),
    ).resolves.toEqual(['lost', 'applied']);
    await expect(row(current, 'charge')).resolves.toMatchObject({
      value: 'current',
      token: current.token,
    });
  });

  it('is refused once the attempt is over, in whatever way', async () => {
    const ends: ((fence: Fence) => Promise<unknown>)[] = [
      (fence) => db.settle([fence], { type: 'released' }),
      (fence) => db.settle([fence], { type: 'blocked', error: failure }),
      (fence) => db.settle([fence], completed()),
      (fence) => db.suspend(fence, [openWait('w', 60_000)]),
    ];
    for (const end of ends) {
      task = await db.task(randomUuid());
      const fence = await claimed();
      await end(fence);
      await expect(db.save(fence, [record('late')])).resolves.toEqual(['lost']);
      await expect(row(fence, 'late')).resolves.toBeUndefined();
    }
  });

  it('waits for nobody: an execution that somebody has locked is busy, the others are stored', async () => {
    const locked = await claimed();
    const free = await claimed();
    await inForeignTransaction(db, async (foreign) => {
      await foreign.query(`select 1 from conductor.run where id = $1 for update`, [locked.id]);
      await expect(
        db.steps.save(
          [
            { ...locked, records: [record('a')] },
            { ...free, records: [record('a')] },
          ],
          () => false,
        ),
      ).resolves.toEqual(['busy', 'applied']);
    });
    await expect(row(locked, 'a')).resolves.toBeUndefined();
    await expect(db.save(locked, [record('a')])).resolves.toEqual(['applied']);
  });

  it('cannot write through while the execution is being given to somebody else', async () => {
    const stale = await claimed();
    await inForeignTransaction(db, async (foreign) => {
      await foreign.query(`update conductor.run set token = $2 where id = $1`, [
        stale.id,
        randomUuid(),
      ]);
      await expect(db.save(stale, [record('a')])).resolves.toEqual(['busy']);
      await foreign.commit();
    });
    await expect(db.save(stale, [record('a')])).resolves.toEqual(['lost']);
    await expect(row(stale, 'a')).resolves.toBeUndefined();
  });

  it('holds the execution’s row until its records are committed, so that nobody settles past them', async () => {
    const fence = await claimed();
    await inForeignTransaction(db, async (foreign) => {
      await foreign.query(
        `select * from conductor.save_steps($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
        [[fence.id], [fence.token], [1], ['a'], [0], [1], [1], [true], [null], [0], [null], ['1']],
      );
      await expect(db.settle([fence], completed())).resolves.toEqual(['busy']);
      await foreign.commit();
    });
    await expect(db.settle([fence], completed())).resolves.toEqual(['applied']);
  });

  it('stores nothing of a statement in which one record is refused, and says that an item is at fault', async () => {
    const good = await claimed();
    const bad = await claimed();
    await expect(
      db.steps.save(
        [
          { ...good, records: [record('a')] },
          { ...bad, records: [record('a', { value: 'no JSON' })] },
        ],
        () => false,
      ),
    ).rejects.toMatchObject({ kind: 'item' });
    await expect(row(good, 'a')).resolves.toBeUndefined();
  });

  it('brings what it stored with the next claim, undefined where nothing was', async () => {
    const fence = await claimed();
    await db.save(fence, [
      record('step', { seq: 2, fingerprint: '9223372036854775807', alone: false, tries: 2 }),
      record('slept', { seq: 1, kind: 'sleep', value: undefined }),
      openWait('later', 90_000),
      openWait('sooner', 30_000),
    ]);
    await db.settle([fence], { type: 'released' });
    await db.clock.advance(40_000);
    const { executions } = await db.claim(worker, [task]);
    const common = { optional: false, alone: true, tries: 0, fingerprint: undefined };
    expect(executions[0]!.records).toEqual([
      {
        ...common,
        name: 'slept',
        kind: 'sleep',
        status: 'completed',
        seq: 1,
        dueInMs: undefined,
        value: null,
      },
      {
        name: 'step',
        kind: 'step',
        status: 'completed',
        seq: 2,
        optional: false,
        fingerprint: '9223372036854775807',
        alone: false,
        tries: 2,
        dueInMs: undefined,
        value: 1,
      },
      {
        ...common,
        name: 'sooner',
        kind: 'sleep',
        status: 'open',
        seq: undefined,
        dueInMs: -10_000,
        value: null,
      },
      {
        ...common,
        name: 'later',
        kind: 'sleep',
        status: 'open',
        seq: undefined,
        dueInMs: 50_000,
        value: null,
      },
    ]);
  });
});
