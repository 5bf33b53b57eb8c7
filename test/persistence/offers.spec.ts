import { randomUUID } from 'node:crypto';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import { failure, Statements } from '../support/persistence.js';
import { freezeClock } from '../support/frozen-clock.js';

const PATIENCE_MS = 5_000;

describe('a blocked execution', () => {
  let db: Statements;
  let task: TaskIds;
  let workers: [number, number];

  beforeAll(async () => {
    db = await Statements.open();
    await freezeClock(db);
  });

  beforeEach(async () => {
    task = await db.task(randomUUID());
    workers = [await db.worker(), await db.worker()];
  });

  afterAll(() => db.close());

  const block = async (worker: number) => {
    const [id] = await db.enqueue(task);
    const fence = await db.claimOne(worker, task);
    await db.settle([fence], { type: 'blocked', error: failure });
    return id!;
  };
  const offered = async (worker: number) => {
    const beat = await db.workers.beat(worker, [task.taskId], []);
    return beat!.offers;
  };

  it('S9 is offered to other workers after 1 s, 10 s, 1 min, then every 10 min, never to the one it did not fit', async () => {
    const id = await block(workers[0]);
    let from = 0;
    for (const wait of [1_000, 10_000, 60_000, 600_000, 600_000]) {
      const [mine, other] = [workers[from]!, workers[1 - from]!];
      await db.clock.advance(wait - 1);
      await expect(offered(other)).resolves.toBe(false);
      await expect(db.claimOffers(other, task)).resolves.toMatchObject({ executions: [] });
      await db.clock.advance(1);
      await expect(offered(mine)).resolves.toBe(false);
      await expect(db.claimOffers(mine, task)).resolves.toMatchObject({ executions: [] });
      await expect(offered(other)).resolves.toBe(true);
      await expect(db.claim(other, [task])).resolves.toMatchObject({ executions: [] }); // unless it asks for it
      const { executions } = await db.claimOffers(other, task);
      expect(executions).toMatchObject([{ id, failures: 0 }]);
      await db.settle(executions, { type: 'blocked', error: failure });
      from = 1 - from;
    }
  });

  it('S9 is offered at once to a worker that boots', async () => {
    const id = await block(workers[0]);
    await db.blocked.offer([task.taskId], PATIENCE_MS);
    await expect(offered(workers[0])).resolves.toBe(false);
    const booted = await db.worker();
    await expect(offered(booted)).resolves.toBe(true);
    const { executions } = await db.claimOffers(booted, task);
    expect(executions).toMatchObject([{ id }]);
  });

  it('S9 that runs alone is offered too, and claimed by itself', async () => {
    const id = await block(workers[0]);
    await db.test.query('update conductor.run set alone = true where id = $1', [id]);
    const [neighbour] = await db.enqueue(task);
    await db.clock.advance(1_000);
    const { executions } = await db.claimOffers(workers[1], task);
    expect(executions).toMatchObject([{ id, alone: true }]);
    expect(executions.map((row) => row.id)).not.toContain(neighbour);
  });

  it('S9 is resumed to its old place, by id or by task and queue, and only where it is blocked', async () => {
    const id = await block(workers[0]);
    await db.clock.advance(10);
    const [later] = await db.enqueue(task);
    const before = await db.run(id);
    await expect(db.blocked.resume({ task: 'another' }, 10, PATIENCE_MS)).resolves.toEqual([]);
    await expect(db.blocked.resume({ ids: [id, later!] }, 10, PATIENCE_MS)).resolves.toMatchObject([
      { id, queueId: task.queueId },
    ]);
    await expect(db.run(id)).resolves.toMatchObject({
      status: 0,
      run_at: before!['run_at'],
      offers: null,
    });
    const { executions } = await db.claim(workers[0], [task]); // also by the worker that it did not fit
    expect(executions.map((row) => row.id)).toEqual([id, later]);
  });
});
