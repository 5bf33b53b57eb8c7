import { v4 as randomUuid } from 'uuid';
import { until } from '../support/until.js';
import { completed, failure, openWait, record, Statements } from '../support/persistence.js';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';

describe('a claim', () => {
  let db: Statements;
  let task: TaskIds;
  let worker: number;

  beforeAll(async () => {
    db = await Statements.open();
    worker = await db.worker();
  });

  beforeEach(async () => {
    task = await db.task(randomUuid());
  });

  afterAll(() => db.close());

  it('gives by priority, then what has begun, then run_at and id, over all tasks of a queue', async () => {
    const other = await db.task(randomUuid());
    const [sleeping] = await db.enqueue(task);
    await db.suspend(await db.claimOne(worker, task), [openWait('w', 60_000)]);
    const [a1] = await db.enqueue(task);
    const [b1] = await db.enqueue(other);
    const [a2] = await db.enqueue(task);
    const [high] = await db.enqueue(other, 1, { priority: 7 });
    const [low] = await db.enqueue(task, 1, { priority: -7 });
    await db.enqueue(task, 1, { priority: 9, delayMs: 3_600_000 });
    await db.clock.advance(61_000);
    const [late] = await db.enqueue(other);
    const order = [high, sleeping, a1, b1, a2, late, low];
    const { executions, dueInMs } = await db.claim(worker, [task, other], 5);
    expect(executions.map(({ id }) => id)).toEqual(order.slice(0, 5));
    expect(dueInMs).toBeUndefined(); // the queue was filled
    const rest = await db.claim(worker, [task, other], 5);
    expect(rest.executions.map(({ id }) => id)).toEqual(order.slice(5));
    expect(rest.dueInMs).toBeGreaterThan(3_500_000 - 61_000);
  });

  describe('that goes on from where the one before came to', () => {
    const ids = ({ executions }: { executions: { id: string }[] }) =>
      executions.map(({ id }) => id);

    it('gives what comes after that, in the same order, and says where it came to only if it filled the queue', async () => {
      const other = await db.task(randomUuid());
      const all = await db.enqueue(task, 5);
      all.push(...(await db.enqueue(other, 5)));
      const first = await db.claim(worker, [task, other], 4);
      const second = await db.claim(worker, [task, other], 4, 0, first.cursors.get(task.queueId));
      const last = await db.claim(worker, [task, other], 4, 0, second.cursors.get(task.queueId));
      expect([...ids(first), ...ids(second), ...ids(last)]).toEqual(all);
      expect(last.cursors.size).toBe(0);
    });

    it('gives what is of a higher priority first, wherever that one came to, and what is of a lower one last', async () => {
      const [, second] = await db.enqueue(task, 2);
      const { cursors } = await db.claim(worker, [task], 1);
      const [low] = await db.enqueue(task, 1, { priority: -1 });
      const [high] = await db.enqueue(task, 1, { priority: 1 });
      const reply = await db.claim(worker, [task], 3, 0, cursors.get(task.queueId));
      expect(ids(reply)).toEqual([high, second, low]);
    });

    it('gives what sleeps no longer before what has not begun', async () => {
      await db.enqueue(task, 1);
      await db.suspend(await db.claimOne(worker, task), [openWait('w', 1_000)]);
      await db.enqueue(task, 2);
      const { cursors } = await db.claim(worker, [task], 1);
      await db.clock.advance(1_001);
      const reply = await db.claim(worker, [task], 1, 0, cursors.get(task.queueId));
      expect(reply.executions[0]!.claims).toBe(2);
    });

    it('passes what stands before it by now, says that there is something due, and the next without a place gives it', async () => {
      const [released] = await db.enqueue(task, 1);
      const fence = await db.claimOne(worker, task);
      await db.enqueue(task, 2);
      const { cursors } = await db.claim(worker, [task], 1);
      await db.settle([fence], { type: 'released' });
      const reply = await db.claim(worker, [task], 5, 0, cursors.get(task.queueId));
      expect(reply.executions).toHaveLength(1);
      expect(ids(reply)).not.toContain(released);
      expect(reply.dueInMs).toBeLessThanOrEqual(0);
      expect(reply.cursors.size).toBe(0);
      expect(ids(await db.claim(worker, [task], 5))).toEqual([released]);
    });
  });

  it('gives each queue its own slots', async () => {
    const mail = await db.task(randomUuid(), { queue: 'mail' });
    await db.enqueue(task, 3);
    await db.enqueue(mail, 3);
    const { executions } = await db.claim(worker, [task, mail], 2);
    expect(executions.map(({ taskId }) => taskId).toSorted((a, b) => a - b)).toEqual(
      [task.taskId, task.taskId, mail.taskId, mail.taskId].toSorted((a, b) => a - b),
    );
  });

  it('never gives one execution to two workers, and all of them together', async () => {
    const ids = await db.enqueue(task, 300);
    const others = await Promise.all(Array.from({ length: 4 }, () => db.worker()));
    const replies = await Promise.all(
      others.flatMap((id) => [db.claim(id, [task], 40), db.claim(id, [task], 40)]),
    );
    const claimed = replies.flatMap(({ executions }) => executions.map(({ id }) => id));
    expect(new Set(claimed).size).toBe(claimed.length);
    expect(claimed.length).toBe(300);
    expect(new Set(claimed)).toEqual(new Set(ids));
  });

  it('does not look at tasks it does not know, nor at what is not due yet, however many there are', async () => {
    const unknown = await db.task(randomUuid());
    await db.enqueue(unknown, 20_000);
    await db.enqueue(task, 20_000, { delayMs: 3_600_000 });
    const [due] = await db.enqueue(task);
    await db.test.query('analyze conductor.run');
    const [plan] = await db.test.query<{ 'QUERY PLAN': unknown[] }>(
      `explain (analyze, buffers, format json)
       select x.id from conductor.run x where x.task_id = ${task.taskId} and x.status in (0, 2) and not x.alone
         and x.priority = 0 and x.status = 0 and x.run_at <= conductor.clock_at_plan()
       order by x.run_at, x.id limit 10 for update skip locked`.replace(
        'conductor.clock_at_plan()',
        'now()',
      ),
    );
    expect(JSON.stringify(plan)).toContain('"Index Name":"run_ready"');
    // the claim itself reads a handful of index entries, not forty thousand
    const read = async () => {
      await db.test.query(`select pg_stat_clear_snapshot()`);
      const [row] = await db.test.query<{ scans: string; entries: string }>(
        `select (select seq_scan from pg_stat_user_tables where relname = 'run') as scans,
                (select idx_tup_read from pg_stat_user_indexes where indexrelname = 'run_ready') as entries`,
      );
      return { scans: Number(row!.scans), entries: Number(row!.entries) };
    };
    const flush = () =>
      db.database.statement.run('select pg_stat_force_next_flush()', []).catch(() => undefined);
    await flush();
    const before = await read();
    const { executions } = await db.claim(worker, [task], 10);
    expect(executions.map(({ id }) => id)).toEqual([due]);
    for (let i = 0; i < 8; i += 1) await flush(); // each of the pool’s connections reports for itself
    const after = await read();
    expect(after.scans - before.scans).toBe(0);
    expect(after.entries - before.entries).toBeLessThan(50);
  });

  it('of a worker that was reaped gives nothing, and says so', async () => {
    const dead = await db.worker();
    await db.test.query(`update conductor.worker set dead = true where id = $1`, [dead]);
    await db.enqueue(task);
    await expect(db.claim(dead, [task])).resolves.toMatchObject({ executions: [], refused: true });
    await expect(db.workers.beat(dead, [], [])).resolves.toBeUndefined();
  });

  it('O2 of a worker whose code newer code no longer allows gives nothing, and its next beat says why', async () => {
    await db.enqueue(task);
    await expect(db.workers.beat(worker, [], [])).resolves.toMatchObject({ tooOld: undefined });
    await db.test.query('update conductor.installation set version = 3, min_compatible = 2');
    await expect(db.claim(worker, [task])).resolves.toMatchObject({
      executions: [],
      refused: true,
    });
    const beat = await db.workers.beat(worker, [], []);
    expect(beat!.tooOld).toMatchObject({
      code: 'CONDUCTOR_SCHEMA_VERSION',
      reason: 'ahead',
      facts: { installed: 3, minCompatible: 2, code: 1 },
    });
    await db.test.query('update conductor.installation set min_compatible = 1');
    await expect(db.claim(worker, [task])).resolves.toMatchObject({ executions: [{}] });
  });

  it('brings the records along, in the order in which they were seen', async () => {
    await db.enqueue(task);
    const first = await db.claimOne(worker, task);
    await db.save(first, [
      record('b', { seq: 2, value: '{"z":1,"a":2}' }),
      record('a', { seq: 1 }),
    ]);
    await db.settle([first], { type: 'released' });
    const { executions } = await db.claim(worker, [task], 1);
    expect(executions[0]).toMatchObject({
      claims: 2,
      failures: 0,
      records: [
        { name: 'a', seq: 1, kind: 'step', status: 'completed', value: 1 },
        { name: 'b', seq: 2, value: { z: 1, a: 2 } },
      ],
    });
    expect(Object.keys(executions[0]!.records[1]!.value as object)).toEqual(['z', 'a']); // key order is kept
  });

  it('keeps the time a wait was first due at, and does not park what has a wait that is over', async () => {
    await db.enqueue(task);
    const first = await db.claimOne(worker, task);
    await expect(
      db.suspend(first, [openWait('w', 10_000), openWait('later', 99_000)]),
    ).resolves.toEqual([{ type: 'parked' }]);
    await db.clock.advance(11_000);
    const second = await db.claimOne(worker, task);
    // asked for again with a new time, as a replay that began the sleep anew would
    await expect(
      db.suspend(second, [
        openWait('w', 10_000),
        record('seen', { status: 'failed', value: '{}' }),
      ]),
    ).resolves.toEqual([{ type: 'decided', names: ['w'] }]);
    await expect(db.run(second.id)).resolves.toMatchObject({ status: 1, token: second.token });
    await expect(
      db.test.query(`select name from conductor.step where execution_id = $1 and status = 2`, [
        second.id,
      ]),
    ).resolves.toEqual([{ name: 'seen' }]); // what goes with it is stored all the same
  });

  it('after a failed attempt has none of its step errors, and later records as optional', async () => {
    await db.enqueue(task);
    const first = await db.claimOne(worker, task);
    await db.save(first, [
      record('before', { seq: 1 }),
      record('error', { seq: 2, status: 'failed', value: '{}' }),
      record('after', { seq: 3 }),
      record('between tries', { status: 'open', seq: undefined, tries: 1, dueInMs: 1_000 }),
    ]);
    await db.settle([first], { type: 'retry', error: failure, delayMs: 0 }, true);
    const { executions } = await db.claim(worker, [task], 1);
    expect(executions[0]).toMatchObject({ failures: 1 });
    expect(executions[0]!.records.map(({ name, optional }) => [name, optional])).toEqual([
      ['before', false],
      ['after', true],
    ]);
  });

  it('after an attempt that was only given back has its step errors still', async () => {
    await db.enqueue(task);
    const first = await db.claimOne(worker, task);
    await db.save(first, [
      record('caught', { seq: 1, status: 'failed', value: '{}' }),
      record('after', { seq: 2 }),
    ]);
    await db.settle([first], { type: 'released' }, true);
    const { executions } = await db.claim(worker, [task], 1);
    expect(executions[0]!.records.map(({ name, optional }) => [name, optional])).toEqual([
      ['caught', false],
      ['after', false],
    ]);
  });

  it('in flight keeps its worker from being struck off', async () => {
    const leaving = await db.worker();
    const [id] = await db.enqueue(task);
    const claiming = db.database.ownClient();
    await claiming.connect();
    try {
      await claiming.query('begin');
      await claiming.query(
        `select * from conductor.claim(${leaving}, '${randomUuid()}', '{${task.taskId}}', '{${task.queueId}}', '{${task.queueId}}', '{1}', 0, false)`,
      );
      const struckOff = db.workers.deregister(leaving);
      await until(async () => {
        const [row] = await db.test.query<{ n: string }>(
          `select count(*) as n from pg_stat_activity where wait_event_type = 'Lock' and query like '%deregister_worker%' and datname = current_database()`,
        );
        return row!.n !== '0';
      });
      await claiming.query('commit');
      await expect(struckOff).resolves.toBe(false);
    } finally {
      await claiming.end();
    }
    await expect(db.run(id!)).resolves.toMatchObject({ status: 1, worker_id: leaving });
  });

  it('follows an enqueue that is idempotent by id, also within a statement, side by side, and after the end', async () => {
    const id = randomUuid();
    const item = { id, taskId: task.taskId, payload: '1' };
    const other = await db.task(randomUuid());
    const enqueue = async (items: (typeof item)[]) =>
      (await db.newExecutions.enqueue(items, [], 5_000)).reports;
    await expect(enqueue([item, item])).resolves.toEqual(['created', 'existing']);
    await expect(enqueue([{ ...item, taskId: other.taskId }])).resolves.toEqual(['otherTask']);
    await expect(enqueue([{ ...item, id: randomUuid(), taskId: 999_999 }])).resolves.toEqual([
      'unknownTask',
    ]);
    await db.settle([await db.claimOne(worker, task)], completed());
    await expect(enqueue([item])).resolves.toEqual(['existing']);
    await expect(db.run(id)).resolves.toBeUndefined();
    const many = Array.from({ length: 100 }, () => ({ ...item, id: randomUuid() }));
    const reports = await Promise.all([enqueue(many), enqueue(many.toReversed()), enqueue(many)]);
    expect(reports.flat().filter((report) => report === 'created')).toHaveLength(100);
  });
});
