import pg from 'pg';
import { v4 as randomUuid } from 'uuid';
import { reportCode } from '../../lib/execution/outcome.js';
import { inForeignTransaction } from '../support/foreign-session.js';
import { completed, failure, openWait, record, Statements } from '../support/persistence.js';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import type { Fence } from '../../lib/persistence/repositories/worker.repository.js';

describe('the fence', () => {
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

  /** An attempt whose execution was given to another one. */
  async function superseded(): Promise<{ stale: Fence; current: Fence }> {
    await db.enqueue(task);
    const stale = await db.claimOne(worker, task);
    await db.settle([stale], { type: 'released' });
    const current = await db.claimOne(worker, task);
    expect(current.id).toBe(stale.id);
    return { stale, current };
  }

  it('refuses every write of an attempt that was superseded', async () => {
    const { stale, current } = await superseded();
    for (const outcome of [
      completed(),
      { type: 'failed', error: failure },
      { type: 'retry', error: failure, delayMs: 0 },
      { type: 'released' },
      { type: 'blocked', error: failure },
    ] as const) {
      for (const wasBusy of [false, true])
        await expect(db.settle([stale], outcome, false, wasBusy)).resolves.toEqual(['lost']);
    }
    await expect(db.save(stale, [record('stale')])).resolves.toEqual(['lost']);
    await expect(db.suspend(stale, [openWait('stale', 1_000)])).resolves.toEqual([
      { type: 'lost' },
    ]);
    await expect(db.executions.startAlone(stale.id, stale.token, () => false)).resolves.toBe(false);
    await db.workers.releaseOrphans([stale]);
    await expect(db.run(stale.id)).resolves.toMatchObject({
      status: 1,
      token: current.token,
      failures: 0,
    });
    await expect(
      db.test.query(`select * from conductor.step where execution_id = $1`, [stale.id]),
    ).resolves.toEqual([]);
    await expect(db.settle([current], completed())).resolves.toEqual(['applied']);
  });

  it.each([
    ['', false],
    [', where it is not waited for', true],
  ])(
    'tells the stale from the current entry when one statement holds both%s',
    async (_, wasBusy) => {
      const { stale, current } = await superseded();
      await expect(
        db.steps.save(
          [
            { ...stale, records: [record('same name')] },
            { ...current, records: [record('same name')] },
          ],
          () => false,
        ),
      ).resolves.toEqual(['lost', 'applied']);
      await expect(
        db.executions.suspend(
          [
            { ...stale, records: [openWait('past', -1_000)] },
            { ...current, records: [openWait('future', 60_000)] },
          ],
          () => false,
        ),
      ).resolves.toEqual([{ type: 'lost' }, { type: 'parked' }]);
      await db.clock.advance(61_000);
      const again = await db.claimOne(worker, task);
      await expect(db.settle([stale, again], completed('mine'), false, wasBusy)).resolves.toEqual([
        'lost',
        'applied',
      ]);
      await expect(db.outcome(stale.id)).resolves.toMatchObject({ token: again.token });
    },
  );

  it('reports an exact re-send as a duplicate, and changes nothing', async () => {
    await db.enqueue(task);
    const fence = await db.claimOne(worker, task);
    await expect(db.save(fence, [record('a', { value: '"first"' })])).resolves.toEqual(['applied']);
    await expect(db.save(fence, [record('a', { value: '"second"' })])).resolves.toEqual([
      'duplicate',
    ]);
    await expect(db.settle([fence], completed('once'))).resolves.toEqual(['applied']);
    await expect(db.settle([fence], completed('twice'))).resolves.toEqual(['duplicate']);
    await expect(db.save(fence, [record('b')])).resolves.toEqual(['lost']);
    await expect(db.outcome(fence.id)).resolves.toMatchObject({ result: 'once' });
    await expect(
      db.test.query(`select value from conductor.step where execution_id = $1`, [fence.id]),
    ).resolves.toEqual([{ value: 'first' }]);
  });

  it.each([
    ['', false],
    [', the second time as well', true],
  ])(
    'goes on without a row that somebody else has locked, and reports it busy%s',
    async (_, wasBusy) => {
      await db.enqueue(task, 2);
      const locked = await db.claimOne(worker, task);
      const free = await db.claimOne(worker, task);
      const foreign = new pg.Client(db.test.url);
      await foreign.connect();
      try {
        await foreign.query('begin');
        await foreign.query(`select 1 from conductor.run where id = $1 for update`, [locked.id]);
        await expect(db.save(locked, [record('a')])).resolves.toEqual(['busy']);
        await expect(db.suspend(locked, [openWait('w', 1_000)])).resolves.toEqual([
          { type: 'busy' },
        ]);
        await expect(db.settle([locked, free], completed(), false, wasBusy)).resolves.toEqual([
          'busy',
          'applied',
        ]);
        await foreign.query('commit');
      } finally {
        await foreign.end();
      }
      await expect(db.settle([locked], completed())).resolves.toEqual(['applied']);
    },
  );

  it('waits for no lock for long, whatever the session would', async () => {
    await db.enqueue(task);
    const { id, token } = await db.claimOne(worker, task);
    const client = new pg.Client(db.test.url);
    await client.connect();
    try {
      await inForeignTransaction(db, async (foreign) => {
        await foreign.query('select 1 from conductor.run where id = $1 for update', [id]);
        await client.query(`set lock_timeout = 0; set statement_timeout = '20s'`);
        const { rows } = await client.query(
          `select report from conductor.settle($1, $2, '{0}', '{1}', '{null}', '{false}')`,
          [[id], [token]],
        );
        expect(rows).toEqual([{ report: reportCode.busy }]);
      });
    } finally {
      await client.end();
    }
  });

  it('leaves the time for which a session waits for locks as it was', async () => {
    await db.enqueue(task);
    const { id, token } = await db.claimOne(worker, task);
    const client = new pg.Client(db.test.url);
    await client.connect();
    try {
      await client.query('begin');
      await client.query(`set local lock_timeout = '7s'`);
      await client.query(`select conductor.settle($1, $2, '{0}', '{1}', '{null}', '{false}')`, [
        [id],
        [token],
      ]);
      const { rows } = await client.query('show lock_timeout');
      expect(rows).toEqual([{ lock_timeout: '7s' }]);
      await client.query('commit');
    } finally {
      await client.end();
    }
    await expect(db.outcome(id)).resolves.toMatchObject({ result: 1 });
  });

  it('holds under the row’s lock: what a claim in flight has taken away is not settled by the old attempt', async () => {
    await db.enqueue(task);
    const stale = await db.claimOne(worker, task);
    const foreign = new pg.Client(db.test.url);
    await foreign.connect();
    try {
      // another worker’s recovery and claim, not committed yet
      await foreign.query('begin');
      await foreign.query(
        `update conductor.run set token = $2, claims = claims + 1 where id = $1`,
        [stale.id, randomUuid()],
      );
      const settled = db.settle([stale], completed());
      await expect(settled).resolves.toEqual(['busy']);
      await foreign.query('commit');
      await expect(db.settle([stale], completed())).resolves.toEqual(['lost']);
    } finally {
      await foreign.end();
    }
    await expect(db.outcome(stale.id)).resolves.toBeUndefined();
  });

  it('lets many settlers of the same executions, in opposite orders, through without a deadlock', async () => {
    await db.enqueue(task, 200);
    const { executions } = await db.claim(worker, [task], 200);
    const fences = executions.map(({ id, token }) => ({ id, token }));
    const rounds = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        db.settle(i % 2 ? fences : fences.toReversed(), completed()),
      ),
    );
    const reports = rounds.flat();
    expect(reports.filter((report) => report === 'applied')).toHaveLength(200);
    expect(reports.filter((report) => report === 'lost')).toEqual([]);
  });

  it('stores no row that contradicts itself, and no second outcome', async () => {
    const [id] = await db.enqueue(task);
    for (const change of [
      'status = 1',
      `token = '${randomUuid()}'`,
      'worker_id = 1',
      'started = true',
      'status = 4',
      'status = 7',
    ]) {
      await expect(
        db.test.query(`update conductor.run set ${change} where id = $1`, [id]),
      ).rejects.toThrow(/check constraint/);
    }
    const fence = await db.claimOne(worker, task);
    await db.settle([fence], completed());
    await expect(
      db.test.query(
        `insert into conductor.outcome (id, finished_at, task_id, claims, status, failures, losses, error) values ($1, now(), 1, 1, 5, 1, 0, '{}')`,
        [id],
      ),
    ).rejects.toThrow(/duplicate key/);
  });
});
