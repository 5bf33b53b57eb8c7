import { randomUUID } from 'node:crypto';
import { ExecutionReader } from '../../lib/persistence/repositories/execution.reader.js';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import { completed, failure, SHORT_LEASE_MS, Statements } from '../support/persistence.js';

describe('what a reader sees of an execution', () => {
  let db: Statements;
  let reader: ExecutionReader;
  let task: TaskIds;
  let name: string;
  let worker: number;

  beforeAll(async () => {
    db = await Statements.open();
    reader = new ExecutionReader(db.database);
  });

  beforeEach(async () => {
    await db.test.query('delete from conductor.worker');
    name = randomUUID();
    task = await db.task(name, { maxLosses: 1 });
    worker = await db.worker(SHORT_LEASE_MS);
  });

  afterAll(() => db.close());

  const fail = async (message: string) => {
    const fence = await db.claimOne(worker, task);
    await db.settle([fence], { type: 'retry', error: { ...failure, message }, delayMs: 0 });
  };
  /** Its process vanishes while it runs. */
  const lose = async () => {
    const doomed = await db.worker(SHORT_LEASE_MS);
    const { executions } = await db.claim(doomed, [task]);
    for (const { id, token, alone } of executions) {
      if (alone) await db.executions.startAlone(id, token, () => false);
    }
    await db.lapse(worker, SHORT_LEASE_MS);
    await db.workers.recover(worker);
  };

  it('counts the attempt from handled failures only, from the first wait to the end', async () => {
    const [id] = await db.enqueue(task);
    await expect(reader.get(id!)).resolves.toMatchObject({ status: 'pending', attempt: 1 });
    await fail('first');
    await expect(reader.get(id!)).resolves.toMatchObject({ status: 'pending', attempt: 2 });
    const fence = await db.claimOne(worker, task);
    await expect(reader.get(id!)).resolves.toMatchObject({ status: 'running', attempt: 2 });
    await db.settle([fence], { type: 'failed', error: failure });
    await expect(reader.get(id!)).resolves.toMatchObject({ status: 'failed', attempt: 2 });
  });

  it('counts the attempt that was lost with its process as the last one', async () => {
    const [id] = await db.enqueue(task);
    await fail('first');
    await lose();
    await expect(reader.get(id!)).resolves.toMatchObject({
      status: 'pending',
      attempt: 2,
      losses: 1,
      error: { code: 'WORKER_LOST' },
    });
    await lose(); // alone, so this ends it
    await expect(reader.get(id!)).resolves.toMatchObject({
      status: 'failed',
      attempt: 2,
      losses: 2,
      error: { code: 'WORKER_LOST' },
    });
  });

  it('is the error of its last attempt while it is not finished, each its own, and none once it has completed', async () => {
    const ids = await db.enqueue(task, 3);
    for (const id of ids) await fail(`of ${id}`);
    const fence = await db.claimOne(worker, task);
    await db.settle([fence], {
      type: 'retry',
      error: { ...failure, message: 'again' },
      delayMs: 0,
    });
    const { items } = await reader.list({ task: name });
    const messages = Object.fromEntries(items.map(({ id, error }) => [id, error?.message]));
    expect(messages).toEqual(
      Object.fromEntries(ids.map((id) => [id, id === fence.id ? 'again' : `of ${id}`])),
    );
    const next = await db.claimOne(worker, task);
    await db.settle([next], completed());
    const done = await reader.get(next.id);
    expect(done).toMatchObject({ status: 'completed', attempt: 2, result: 1 });
    expect(done).not.toHaveProperty('error');
  });

  it('comes in pages, newest first, each once', async () => {
    const ids = await db.enqueue(task, 5);
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await reader.list({ task: name, limit: 2, ...(cursor && { cursor }) });
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    expect(seen).toEqual(ids.toReversed());
  });
});
