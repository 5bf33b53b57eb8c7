import { v4 as randomUuid } from 'uuid';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import { inForeignTransaction, somebodyWaits } from '../support/foreign-session.js';
import { freezeClock } from '../support/frozen-clock.js';
import { completed, failure, openWait, Statements } from '../support/persistence.js';

const LEASE_MS = 30_000;

describe('a heartbeat', () => {
  let db: Statements;
  let task: TaskIds;
  let worker: number;

  beforeEach(async () => {
    await db.clear();
    task = await db.task(randomUuid());
    worker = await db.worker(LEASE_MS);
  });

  beforeAll(async () => {
    db = await Statements.open();
    await freezeClock(db);
  });

  afterAll(() => db.close());

  const beat = (of = worker, tasks: TaskIds[] = [task]) =>
    db.workers.beat(
      of,
      tasks.map(({ taskId }) => taskId),
      [],
    );
  const row = async (of = worker) => {
    const [found] = await db.test.query<{
      beat_at: Date;
      steady_since: Date;
      dead: boolean;
      stopping: boolean;
    }>(`select * from conductor.worker where id = $1`, [of]);
    return found;
  };
  const now = async () => new Date(await db.clock.now());

  it('renews the lease by the database’s time', async () => {
    await db.clock.advance(LEASE_MS / 3);
    await beat();
    await expect(row()).resolves.toMatchObject({ beat_at: await now() });
  });

  it('of a worker that is not known, or was reaped, says nothing and makes nobody alive', async () => {
    await expect(beat(worker + 1_000)).resolves.toBeUndefined();
    await expect(row(worker + 1_000)).resolves.toBeUndefined();
    await db.test.query('update conductor.worker set dead = true where id = $1', [worker]);
    await db.clock.advance(1_000);
    const before = await row();
    await expect(beat()).resolves.toBeUndefined();
    await expect(row()).resolves.toEqual(before);
  });

  it('that crosses its worker’s recovery learns that it is dead', async () => {
    await inForeignTransaction(db, async (foreign) => {
      await foreign.query('update conductor.worker set dead = true where id = $1', [worker]);
      const reply = beat();
      await somebodyWaits(db);
      await foreign.commit();
      await expect(reply).resolves.toBeUndefined();
    });
  });

  it('says how long it is until something of its tasks can be claimed', async () => {
    const other = await db.task(randomUuid());
    await db.enqueue(other);
    const due = async () => (await beat())!.dueInMs;
    await expect(due()).resolves.toBeUndefined();
    await db.enqueue(task, 1, { delayMs: 60_000 });
    await expect(due()).resolves.toBe(60_000);
    await db.enqueue(task, 1, { delayMs: 90_000, priority: 9 }); // another priority, later
    await expect(due()).resolves.toBe(60_000);
    await db.enqueue(task, 1, { delayMs: 20_000, priority: -9 });
    await expect(due()).resolves.toBe(20_000);
    await db.enqueue(task);
    await expect(due()).resolves.toBe(0);
    await db.clock.advance(1_000);
    await expect(due()).resolves.toBe(-1_000);
    await expect(beat(worker, [other, task])).resolves.toMatchObject({ dueInMs: -1_000 });
    await expect(beat(worker, [])).resolves.not.toHaveProperty('dueInMs', expect.any(Number));
  });

  it('counts a parked execution by its wait, and one that runs alone, but nothing that runs or is blocked', async () => {
    const due = async () => (await beat())!.dueInMs;
    await db.enqueue(task);
    const fence = await db.claimOne(worker, task);
    await expect(due()).resolves.toBeUndefined();
    await db.suspend(fence, [openWait('w', 45_000)]);
    await expect(due()).resolves.toBe(45_000);
    await db.test.query('update conductor.run set alone = true where id = $1', [fence.id]);
    await expect(due()).resolves.toBe(45_000);
    await db.clock.advance(45_000);
    const { executions } = await db.claim(worker, [task]);
    await db.settle(executions, { type: 'blocked', error: failure });
    await expect(due()).resolves.toBeUndefined();
  });

  it('tells when another worker’s lease has lapsed, or one is dead, and never counts its own', async () => {
    const lapsed = async () => (await beat())!.lapsed;
    await db.clock.advance(LEASE_MS * 2);
    await expect(lapsed()).resolves.toBe(false);
    const other = await db.worker(LEASE_MS);
    await db.clock.advance(LEASE_MS);
    await expect(lapsed()).resolves.toBe(false); // to the very millisecond it is still in time
    await db.clock.advance(1);
    await expect(lapsed()).resolves.toBe(true);
    await beat(other);
    await expect(lapsed()).resolves.toBe(false);
    await db.test.query('update conductor.worker set dead = true where id = $1', [other]);
    await expect(lapsed()).resolves.toBe(true);
  });

  it('judges another worker by that one’s lease', async () => {
    await db.worker(LEASE_MS * 10);
    await db.clock.advance(LEASE_MS * 2);
    await expect(beat()).resolves.toMatchObject({ lapsed: false });
    await db.worker(1_000);
    await db.clock.advance(1_001);
    await expect(beat()).resolves.toMatchObject({ lapsed: true });
  });

  it('names exactly what the worker owns without knowing it, by execution and token', async () => {
    const other = await db.worker();
    await db.enqueue(task, 4);
    await db.claimOne(other, task); // somebody else's
    const known = await db.claimOne(worker, task);
    const misknown = await db.claimOne(worker, task);
    const unknown = await db.claimOne(worker, task);
    const reply = await db.workers.beat(
      worker,
      [],
      [known, { ...misknown, token: randomUuid() }, { ...unknown, id: randomUuid() }],
    );
    const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
    expect(reply!.orphans.toSorted(byId)).toEqual([misknown, unknown].toSorted(byId));
    await db.settle([unknown], completed());
    const later = await db.workers.beat(worker, [], [known]);
    expect(later!.orphans).toEqual([misknown]);
  });

  it('gives a released orphan back in its place, unless it has gone on meanwhile or is locked', async () => {
    await db.enqueue(task, 3);
    const orphan = await db.claimOne(worker, task);
    const settled = await db.claimOne(worker, task);
    const locked = await db.claimOne(worker, task);
    await db.settle([settled], { type: 'released' });
    const reclaimed = await db.claimOne(worker, task);
    expect(reclaimed.id).toBe(settled.id);
    await inForeignTransaction(db, async (foreign) => {
      await foreign.query('select 1 from conductor.run where id = $1 for update', [locked.id]);
      await db.workers.releaseOrphans([orphan, settled, locked]);
    });
    await expect(db.run(orphan.id)).resolves.toMatchObject({
      status: 0,
      token: null,
      worker_id: null,
      started: false,
      losses: 0,
      failures: 0,
    });
    await expect(db.run(reclaimed.id)).resolves.toMatchObject({
      status: 1,
      token: reclaimed.token,
    });
    await expect(db.run(locked.id)).resolves.toMatchObject({ status: 1, token: locked.token });
  });

  it('starts the worker’s steady time anew after a gap of more than half a lease', async () => {
    const registered = await now();
    await db.clock.advance(LEASE_MS / 2);
    await beat();
    await expect(row()).resolves.toMatchObject({ steady_since: registered });
    await db.clock.advance(LEASE_MS / 2 + 1);
    await beat();
    await expect(row()).resolves.toMatchObject({ steady_since: await now() });
  });

  it('lets a newcomer inherit that time from who has been beating all the while, and from nobody else', async () => {
    const since = await now();
    await db.clock.advance(LEASE_MS / 3);
    await beat();
    const heir = await db.worker(LEASE_MS);
    await expect(row(heir)).resolves.toMatchObject({ steady_since: since });
    const strict = await db.worker(LEASE_MS - 1); // a longer lease than its own proves nothing to it
    await expect(row(strict)).resolves.toMatchObject({ steady_since: await now() });
    await db.test.query('delete from conductor.worker where id <> $1', [worker]);
    await db.clock.advance(LEASE_MS / 2);
    const late = await db.worker(LEASE_MS); // the last beat may have been the last before an outage
    await expect(row(late)).resolves.toMatchObject({ steady_since: await now() });
    await db.test.query('delete from conductor.worker where id <> $1', [worker]);
    await beat();
    await db.test.query('update conductor.worker set dead = true where id = $1', [worker]);
    await db.clock.advance(1);
    const afterDeath = await db.worker(LEASE_MS);
    await expect(row(afterDeath)).resolves.toMatchObject({ steady_since: await now() });
  });

  it('goes on while its worker is stopping', async () => {
    await db.workers.announceStop(worker);
    await expect(row()).resolves.toMatchObject({ stopping: true, dead: false });
    await expect(beat()).resolves.toBeDefined();
  });
});

describe('a worker that leaves', () => {
  let db: Statements;
  let task: TaskIds;

  beforeAll(async () => {
    db = await Statements.open();
    task = await db.task('any');
  });

  afterAll(() => db.close());

  const rows = (worker: number) =>
    db.test.query('select 1 from conductor.worker where id = $1', [worker]);

  it('is struck off when it owns nothing, and nobody else is', async () => {
    const leaving = await db.worker();
    const other = await db.worker();
    await expect(db.workers.deregister(leaving)).resolves.toBe(true);
    await expect(rows(leaving)).resolves.toEqual([]);
    await expect(rows(other)).resolves.toHaveLength(1);
    await expect(db.workers.deregister(leaving)).resolves.toBe(false);
  });

  it('is not struck off while a claim of its own is in flight', async () => {
    const leaving = await db.worker();
    const [id] = await db.enqueue(task);
    await inForeignTransaction(db, async (foreign) => {
      // a claim whose reply the worker no longer waits for
      await foreign.query('select * from conductor.claim($1, $2, $3, $4, $5, $6, 0, false)', [
        leaving,
        randomUuid(),
        [task.taskId],
        [task.queueId],
        [task.queueId],
        [1],
      ]);
      const gone = db.workers.deregister(leaving);
      await somebodyWaits(db);
      await foreign.commit();
      await expect(gone).resolves.toBe(false);
    });
    await expect(db.run(id!)).resolves.toMatchObject({ status: 1, worker_id: leaving });
    await expect(rows(leaving)).resolves.toHaveLength(1); // recovery finds executions by it
  });
});
