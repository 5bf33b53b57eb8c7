import { jest } from '@jest/globals';
import pg from 'pg';
import { v7 as orderedUuid } from 'uuid';
import type { NewExecution } from '../../lib/persistence/repositories/new-execution.repository.js';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import { StatementFailure } from '../../lib/persistence/statement.js';
import { inForeignTransaction, somebodyWaits } from '../support/foreign-session.js';
import { freezeClock } from '../support/frozen-clock.js';
import { failure, Statements } from '../support/persistence.js';
import { until } from '../support/until.js';

describe('enqueue', () => {
  let db: Statements;
  let task: TaskIds;
  let worker: number;

  beforeAll(async () => {
    db = await Statements.open();
    await freezeClock(db);
    worker = await db.worker();
  });

  beforeEach(async () => {
    task = await db.task(orderedUuid());
  });

  afterAll(() => db.close());

  const item = (rest: Partial<NewExecution> = {}): NewExecution => ({
    id: orderedUuid(),
    taskId: task.taskId,
    payload: '1',
    ...rest,
  });

  /** Without a second try, which would hide a deadlock. */
  const enqueue = async (items: NewExecution[], channels: string[] = []) =>
    (await db.newExecutions.enqueue(items, channels, 0)).reports;

  const callText = `select * from conductor.enqueue($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, null, $11, null, null, null, null, null, null, false)`;
  const callOf = ({ id, taskId, payload }: NewExecution, channels: string[] = []) => [
    [id],
    [taskId],
    ...Array.from({ length: 7 }, () => null),
    [payload],
    channels,
  ];

  it('takes the priority of the task as its worker declared it, unless the item has its own', async () => {
    const urgent = await db.task(orderedUuid(), { priority: 5 });
    const items = [undefined, 0, -3].map((priority) => item({ taskId: urgent.taskId, priority }));
    await enqueue(items);
    const rows = await Promise.all(items.map(({ id }) => db.run(id)));
    expect(rows.map((row) => row!['priority'])).toEqual([5, 0, -3]);
  });

  it('counts a delay from the database’s time, and takes a given time as it is', async () => {
    const soon = item();
    const delayed = item({ delayMs: 60_000 });
    const past = item({ runAt: new Date(0) });
    await enqueue([soon, delayed, past]);
    const now = await db.clock.now();
    await expect(db.run(soon.id)).resolves.toMatchObject({ run_at: new Date(now) });
    await expect(db.run(delayed.id)).resolves.toMatchObject({ run_at: new Date(now + 60_000) });
    await expect(db.run(past.id)).resolves.toMatchObject({ run_at: new Date(0) });
    await expect(
      db.test.query('select created_at from conductor.execution where id = $1', [past.id]),
    ).resolves.toEqual([{ created_at: new Date(now) }]);
  });

  it('holds a delay longer than a 32-bit count of milliseconds', async () => {
    const days = item({ delayMs: 90 * 86_400_000 });
    await enqueue([days]);
    const at = new Date((await db.clock.now()) + 90 * 86_400_000);
    await expect(db.run(days.id)).resolves.toMatchObject({ run_at: at });
  });

  it('gives what came in one statement the order of its ids', async () => {
    const items = Array.from({ length: 5 }, () => item());
    await enqueue(items.toReversed());
    const { executions } = await db.claim(worker, [task]);
    expect(executions.map(({ id }) => id)).toEqual(items.map(({ id }) => id));
  });

  it('takes a thousand items in one statement', async () => {
    const items = Array.from({ length: 1_000 }, (_, i) => item({ payload: String(i) }));
    const reports = await enqueue(items);
    expect(new Set(reports)).toEqual(new Set(['created']));
    expect(reports).toHaveLength(1_000);
    await expect(
      db.test.query(
        `select count(*)::int as rows, count(distinct e.payload::text)::int as payloads
         from conductor.execution e join conductor.run r on r.id = e.id where e.task_id = $1`,
        [task.taskId],
      ),
    ).resolves.toEqual([{ rows: 1_000, payloads: 1_000 }]);
  });

  it('keeps the payload of the first of several with one id, character for character', async () => {
    const first = item({ payload: '{"z": 1, "a": 12345678901234567890.10}' });
    await enqueue([first, { ...first, payload: '2' }]);
    await enqueue([{ ...first, payload: '3' }]);
    const { executions } = await db.claim(worker, [task]);
    expect(executions.map(({ payload }) => payload)).toEqual([first.payload]);
  });

  it('reports each item by its place', async () => {
    const other = await db.task(orderedUuid());
    const known = item();
    await enqueue([known]);
    const unknown = item({ taskId: 999_999 });
    const twice = item();
    await expect(
      enqueue([item(), unknown, known, { ...known, taskId: other.taskId }, twice, twice, item()]),
    ).resolves.toEqual([
      'created',
      'unknownTask',
      'existing',
      'otherTask',
      'created',
      'existing',
      'created',
    ]);
    await expect(db.run(unknown.id)).resolves.toBeUndefined();
  });

  it('knows an id for ever, also of an execution that failed', async () => {
    const once = item();
    await enqueue([once]);
    await db.settle([await db.claimOne(worker, task)], { type: 'failed', error: failure });
    await expect(enqueue([once])).resolves.toEqual(['existing']);
    await expect(db.run(once.id)).resolves.toBeUndefined();
  });

  it('waits for another’s uncommitted item of the same id, and makes it when that one is rolled back', async () => {
    for (const end of ['commit', 'rollback'] as const) {
      const shared = item();
      await inForeignTransaction(db, async (foreign) => {
        await foreign.query(callText, callOf(shared));
        const report = enqueue([shared]);
        await somebodyWaits(db);
        await foreign[end]();
        await expect(report).resolves.toEqual([end === 'commit' ? 'existing' : 'created']);
      });
      await expect(db.run(shared.id)).resolves.toMatchObject({ status: 0 });
    }
  });

  it('does not deadlock with others that send the same ids in other orders', async () => {
    for (let round = 0; round < 3; round += 1) {
      const items = Array.from({ length: 1_000 }, () => item());
      const orders = [items, items.toReversed(), items, items.toReversed()];
      const reports = await Promise.all(orders.map((order) => enqueue(order)));
      expect(reports.flat().filter((report) => report === 'created')).toHaveLength(1_000);
    }
  });

  it('writes nothing at all when one item is refused, and says that an item is at fault', async () => {
    const good = item();
    const refused = enqueue([good, item({ payload: 'no JSON' })]);
    await expect(refused).rejects.toBeInstanceOf(StatementFailure);
    await expect(refused).rejects.toMatchObject({ kind: 'item' });
    await expect(db.run(good.id)).resolves.toBeUndefined();
    await expect(enqueue([good])).resolves.toEqual(['created']);
  });

  describe('of ids that were made for it', () => {
    const fresh = (rest: Partial<NewExecution> = {}) => item({ fresh: true, ...rest });
    const stored = (items: NewExecution[]) =>
      db.test.query(
        `select e.id, e.payload::text, e.priority, r.priority as run_priority, e.task_id, r.task_id as run_task,
                r.run_at = e.created_at as due, r.status, r.deadline_at - r.run_at as deadline, r.expires_at
         from conductor.execution e left join conductor.run r on r.id = e.id where e.id = any($1) order by e.id`,
        [items.map(({ id }) => id)],
      );

    it('stores the same as of ids that were given', async () => {
      const urgent = await db.task(orderedUuid(), { priority: 5 });
      const items = [{}, { priority: 3, taskId: urgent.taskId }, { taskId: urgent.taskId }].concat(
        { delayMs: 60_000 } as object,
        { deadlineMs: 1_000, payload: '{"b": 1, "a": [2]}' } as object,
      );
      const made = items.map((rest) => fresh(rest));
      const given = items.map((rest) => item(rest));
      await enqueue(made.toReversed());
      await enqueue(given.toReversed());
      const without = (rows: Record<string, unknown>[]) =>
        rows.map(({ id, ...rest }) => (expect(id).toBeDefined(), rest));
      const rows = without(await stored(made));
      expect(rows).toHaveLength(items.length);
      expect(rows).toEqual(without(await stored(given)));
    });

    it('FC3 makes each once when the reply is lost, whether or not it was applied', async () => {
      const { statement } = db.database;
      const original = statement.run.bind(statement);
      for (const applied of [true, false]) {
        const items = Array.from({ length: 3 }, () => fresh());
        const sent = jest.spyOn(statement, 'run');
        sent.mockImplementationOnce(async (...call) => {
          if (applied) await original(...call);
          throw new StatementFailure('ambiguous', new Error('the connection broke'));
        });
        try {
          const { reports } = await db.newExecutions.enqueue(items, [], 5_000);
          const report = applied ? 'existing' : 'created';
          expect(reports).toEqual(items.map(() => report));
          expect(sent).toHaveBeenCalledTimes(2);
        } finally {
          sent.mockRestore();
        }
        await expect(stored(items)).resolves.toMatchObject(
          items.map(({ id }) => ({ id, status: 0 })),
        );
      }
    });

    it('FC3 makes each once when the first is still under way as it is sent again', async () => {
      const one = fresh();
      await inForeignTransaction(db, async (foreign) => {
        await foreign.query(callText.replace('false)', 'true)'), callOf(one));
        const again = enqueue([{ ...one, fresh: false }]);
        await somebodyWaits(db);
        await foreign.commit();
        await expect(again).resolves.toEqual(['existing']);
      });
      await expect(stored([one])).resolves.toHaveLength(1);
    });

    it('is refused as a whole, and not passed over in silence, when somebody has one of them all the same', async () => {
      const taken = item();
      await enqueue([taken]);
      const good = fresh();
      await expect(enqueue([good, { ...taken, fresh: true }])).rejects.toMatchObject({
        kind: 'item',
      });
      await expect(stored([good])).resolves.toEqual([]);
    });

    it('beside others that were given reports each by its place', async () => {
      const known = item();
      await enqueue([known]);
      await expect(enqueue([fresh(), known, fresh()])).resolves.toEqual([
        'created',
        'existing',
        'created',
      ]);
    });

    it('makes the others when a task is not known', async () => {
      const items = [fresh(), fresh({ taskId: 999_999 }), fresh()];
      await expect(enqueue(items)).resolves.toEqual(['created', 'unknownTask', 'created']);
      await expect(stored(items)).resolves.toHaveLength(2);
    });
  });

  it('wakes the listeners of its channels when it is committed, and nobody when it is rolled back', async () => {
    const heard: string[] = [];
    const listener = new pg.Client(db.test.url);
    await listener.connect();
    try {
      listener.on('notification', ({ channel }) => heard.push(channel));
      for (const channel of ['kept', 'undone', 'other', 'mark']) {
        await listener.query(`listen "${channel}"`);
      }
      const mark = async (count: number) => {
        await db.test.query('notify mark');
        await until(() => heard.filter((channel) => channel === 'mark').length === count);
      };
      await inForeignTransaction(db, async (foreign) => {
        await foreign.query(callText, callOf(item(), ['undone']));
        await foreign.rollback();
      });
      await inForeignTransaction(db, async (foreign) => {
        await foreign.query(callText, callOf(item(), ['kept', 'other']));
        await mark(1);
        expect(heard).toEqual(['mark']);
        await foreign.commit();
      });
      await mark(2);
      expect(heard.toSorted()).toEqual(['kept', 'mark', 'mark', 'other']);
      await enqueue([item()]);
      await mark(3);
      expect(heard).toHaveLength(5); // no channel given: nobody is told
    } finally {
      await listener.end();
    }
  });
});
