import { randomUUID } from 'node:crypto';
import { completed, Statements } from '../support/persistence.js';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';

// short: nobody is reaped within a lease of the server's start, which no test's clock can move
const LEASE_MS = 1_000;

describe('recovery', () => {
  let db: Statements;
  let task: TaskIds;
  let survivor: number;

  beforeEach(async () => {
    db = await Statements.open();
    task = await db.task(randomUUID());
    survivor = await db.worker(LEASE_MS);
  });

  afterEach(() => db.close());

  const lapse = () => db.lapse(survivor, LEASE_MS);

  it('makes the executions of a worker whose lease lapsed claimable: same place, same attempt, one loss', async () => {
    const victim = await db.worker(LEASE_MS);
    const [id] = await db.enqueue(task, 1, { priority: 3 });
    const before = await db.run(id!);
    await db.claimOne(victim, task);
    await expect(db.workers.recover(survivor)).resolves.toEqual([]); // it is alive
    await lapse();
    await expect(db.workers.beat(survivor, [task.taskId], [])).resolves.toMatchObject({
      lapsed: true,
    });
    await expect(db.workers.recover(survivor)).resolves.toMatchObject([
      { workerId: victim, recovered: 1, ended: 0 },
    ]);
    await expect(db.run(id!)).resolves.toMatchObject({
      status: 0,
      token: null,
      failures: 0,
      losses: 1,
      alone: false,
      priority: 3,
      run_at: before!['run_at'],
    });
    await expect(db.workers.beat(victim, [], [])).resolves.toBeUndefined(); // it learns that it is dead
    await expect(db.claim(victim, [task])).resolves.toMatchObject({
      refused: true,
      executions: [],
    });
    await db.workers.recover(survivor); // nothing left of it: struck off
    await expect(
      db.test.query(`select 1 from conductor.worker where id = $1`, [victim]),
    ).resolves.toEqual([]);
  });

  it('charges nothing to a worker that had said it was stopping', async () => {
    const victim = await db.worker(LEASE_MS);
    const [id] = await db.enqueue(task);
    await db.claimOne(victim, task);
    await db.workers.announceStop(victim);
    await lapse();
    await db.workers.recover(survivor);
    await expect(db.run(id!)).resolves.toMatchObject({ status: 0, losses: 0 });
  });

  it('lets an execution run alone after two losses, and ends it only when it is lost while alone', async () => {
    const [id] = await db.enqueue(task);
    const lose = async (claim: (victim: number) => Promise<unknown>) => {
      const victim = await db.worker(LEASE_MS);
      await claim(victim);
      await lapse();
      return (await db.workers.recover(survivor)).find(({ workerId }) => workerId === victim);
    };
    await lose((victim) => db.claim(victim, [task]));
    await lose((victim) => db.claim(victim, [task]));
    await expect(db.run(id!)).resolves.toMatchObject({ losses: 2, alone: true });

    // a busy worker does not get it before its patience is over, and whoever gets it gets nothing else
    const neighbours = await db.enqueue(task, 3);
    const busy = await db.worker(LEASE_MS * 60);
    const ordinary = await db.claim(busy, [task], 2, 3_600_000);
    expect(ordinary.executions.map((execution) => execution.id)).toEqual(neighbours.slice(0, 2));
    const alone = await db.claim(busy, [task], 10, 0);
    expect(alone.executions.map((execution) => [execution.id, execution.alone])).toEqual([
      [id, true],
    ]);
    await db.settle([alone.executions[0]!], { type: 'released' });

    // claimed but not started: the process was lost for another reason
    await lose((victim) => db.claim(victim, [task], 1, 0));
    await expect(db.run(id!)).resolves.toMatchObject({ status: 0, losses: 2, alone: true });

    const end = await lose(async (victim) => {
      const { executions } = await db.claim(victim, [task], 1, 0);
      await expect(db.executions.startAlone(id!, executions[0]!.token, () => false)).resolves.toBe(
        true,
      );
    });
    expect(end).toMatchObject({ recovered: 0, ended: 1 });
    await expect(db.outcome(id!)).resolves.toMatchObject({
      status: 5,
      losses: 3,
      failures: 0,
      error: { code: 'WORKER_LOST' },
    });
    await expect(db.run(neighbours[0]!)).resolves.toMatchObject({ losses: 0, status: 1 });
  });

  it('never ends an execution whose task says maxLosses: false', async () => {
    const stubborn = await db.task(randomUUID(), { maxLosses: false });
    const [id] = await db.enqueue(stubborn);
    for (let losses = 1; losses <= 5; losses += 1) {
      const victim = await db.worker(LEASE_MS);
      const { executions } = await db.claim(victim, [stubborn], 1, 0);
      if (executions[0]!.alone)
        await db.executions.startAlone(id!, executions[0]!.token, () => false);
      await lapse();
      await db.workers.recover(survivor);
      await expect(db.run(id!)).resolves.toMatchObject({ status: 0, losses });
    }
  });

  it('is done by nobody who has not himself been beating for a whole lease without a gap', async () => {
    const victim = await db.worker(LEASE_MS);
    const [id] = await db.enqueue(task);
    await db.claimOne(victim, task);
    await db.clock.advance(LEASE_MS * 3); // the database was away: everybody’s beat is old
    await db.workers.beat(survivor, [], []);
    await expect(db.workers.recover(survivor)).resolves.toEqual([]);
    const newcomer = await db.worker(LEASE_MS);
    await expect(db.workers.recover(newcomer)).resolves.toEqual([]);
    await expect(db.workers.beat(victim, [], [])).resolves.toBeDefined(); // it lives, and nothing was charged
    await expect(db.run(id!)).resolves.toMatchObject({ status: 1, losses: 0 });
  });

  it('is done by a newcomer at once where another worker has been beating all the while', async () => {
    const victim = await db.worker(LEASE_MS);
    const [id] = await db.enqueue(task);
    await db.claimOne(victim, task);
    await lapse();
    const newcomer = await db.worker(LEASE_MS);
    await expect(db.workers.recover(newcomer)).resolves.toMatchObject([
      { workerId: victim, recovered: 1 },
    ]);
    await expect(db.run(id!)).resolves.toMatchObject({ status: 0, losses: 1 });
  });

  it('reaps nobody within a lease of the server’s start', async () => {
    const lease = 20 * 24 * 3_600_000; // a test's server has not been up for so long
    const patient = await db.worker(lease);
    const victim = await db.worker(lease);
    const [id] = await db.enqueue(task);
    await db.claimOne(victim, task);
    await db.lapse(patient, lease);
    await db.workers.recover(patient);
    await expect(db.run(id!)).resolves.toMatchObject({ status: 1, losses: 0 });
  });

  it('skips a row that somebody has locked, recovers the rest, and finds it the next time', async () => {
    const victim = await db.worker(LEASE_MS);
    const ids = await db.enqueue(task, 3);
    await db.claim(victim, [task]);
    await lapse();
    const lock = db.database.ownClient();
    await lock.connect();
    try {
      await lock.query('begin');
      await lock.query(`select 1 from conductor.run where id = '${ids[1]}' for update`);
      await expect(db.workers.recover(survivor)).resolves.toMatchObject([{ recovered: 2 }]);
      await lock.query('commit');
    } finally {
      await lock.end();
    }
    await expect(db.workers.recover(survivor)).resolves.toMatchObject([{ recovered: 1 }]);
  });

  it('finds what a worker owns without knowing it, and gives it back uncharged', async () => {
    const worker = await db.worker(LEASE_MS * 60);
    await db.enqueue(task, 2);
    const known = await db.claimOne(worker, task);
    const lost = await db.claimOne(worker, task); // its reply never arrived
    const beat = await db.workers.beat(worker, [task.taskId], [known]);
    expect(beat!.orphans).toEqual([lost]);
    await db.workers.releaseOrphans(beat!.orphans);
    await expect(db.run(lost.id)).resolves.toMatchObject({ status: 0, losses: 0, failures: 0 });
    await expect(db.run(known.id)).resolves.toMatchObject({ status: 1, token: known.token });
    await expect(db.workers.deregister(worker)).resolves.toBe(false); // it still owns one
    await db.settle([known], completed());
    await expect(db.workers.deregister(worker)).resolves.toBe(true);
  });
});
