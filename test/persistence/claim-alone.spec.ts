import { v4 as randomUuid } from 'uuid';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import { inForeignTransaction } from '../support/foreign-session.js';
import { freezeClock } from '../support/frozen-clock.js';
import { failure, openWait, Statements } from '../support/persistence.js';

const PATIENCE_MS = 5_000;

describe('a claim', () => {
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

  const ids = (reply: { executions: { id: string }[] }) => reply.executions.map(({ id }) => id);

  /** An execution that has cost so many processes that it runs alone. */
  const suspect = async (delayMs = 0): Promise<string> => {
    const [id] = await db.enqueue(task, 1, { delayMs });
    await db.test.query('update conductor.run set alone = true, losses = 2 where id = $1', [id]);
    return id!;
  };

  it('by a busy worker takes what must run alone only after its patience, to the millisecond', async () => {
    const id = await suspect();
    await db.clock.advance(PATIENCE_MS - 1);
    await expect(db.claim(worker, [task], 10, PATIENCE_MS)).resolves.toMatchObject({
      executions: [],
      dueInMs: 1 - PATIENCE_MS,
    });
    await db.clock.advance(1);
    const reply = await db.claim(worker, [task], 10, PATIENCE_MS);
    expect(reply.executions).toMatchObject([{ id, alone: true, losses: 2 }]);
  });

  it('takes it by itself, however much else waits, and says nothing of that', async () => {
    await db.enqueue(task, 3, { priority: 9 });
    const id = await suspect();
    const reply = await db.claim(worker, [task], 10, 0);
    expect(ids(reply)).toEqual([id]);
    expect(reply.dueInMs).toBeUndefined();
    await expect(db.claim(worker, [task], 10, 0)).resolves.toMatchObject({
      executions: [{ alone: false }, { alone: false }, { alone: false }],
    });
  });

  it('takes one of several at a time, the longest due first', async () => {
    const first = await suspect();
    await db.clock.advance(10);
    const second = await suspect();
    expect(ids(await db.claim(worker, [task], 10, 0))).toEqual([first]);
    expect(ids(await db.claim(worker, [task], 10, 0))).toEqual([second]);
  });

  it('takes it neither early, nor for a worker that does not know its task, nor while somebody has it locked', async () => {
    const other = await db.task(randomUuid());
    const id = await suspect(1_000);
    await expect(db.claim(worker, [task], 10, 0)).resolves.toMatchObject({
      executions: [],
      dueInMs: 1_000,
    });
    await db.clock.advance(1_000);
    expect(ids(await db.claim(worker, [other], 10, 0))).toEqual([]);
    await inForeignTransaction(db, async (foreign) => {
      await foreign.query('select 1 from conductor.run where id = $1 for update', [id]);
      expect(ids(await db.claim(worker, [task], 10, 0))).toEqual([]);
    });
    expect(ids(await db.claim(worker, [task], 10, 0))).toEqual([id]);
  });

  it('does not start what runs alone: only its worker does, once nothing else runs there', async () => {
    const id = await suspect();
    const { executions } = await db.claim(worker, [task], 10, 0);
    const { token } = executions[0]!;
    await expect(db.run(id)).resolves.toMatchObject({ status: 1, started: false });
    await expect(db.executions.startAlone(id, randomUuid(), () => false)).resolves.toBe(false);
    await expect(db.run(id)).resolves.toMatchObject({ started: false });
    await expect(db.executions.startAlone(id, token, () => false)).resolves.toBe(true);
    await expect(db.executions.startAlone(id, token, () => false)).resolves.toBe(true); // sent again
    await expect(db.run(id)).resolves.toMatchObject({ started: true });
  });

  it('takes a parked one that runs alone once its wait is over', async () => {
    const id = await suspect();
    const { executions } = await db.claim(worker, [task], 10, 0);
    await db.suspend(executions[0]!, [openWait('w', 60_000)]);
    await db.clock.advance(59_999);
    expect(ids(await db.claim(worker, [task], 10, 0))).toEqual([]);
    await db.clock.advance(1);
    expect(ids(await db.claim(worker, [task], 10, 0))).toEqual([id]);
  });

  it('starts at once what does not run alone, and remembers when it first did', async () => {
    const [id] = await db.enqueue(task);
    await db.clock.advance(500);
    const first = new Date(await db.clock.now());
    const fence = await db.claimOne(worker, task);
    await expect(db.run(id!)).resolves.toMatchObject({
      started: true,
      started_at: first,
      claims: 1,
      worker_id: worker,
      token: fence.token,
    });
    await db.settle([fence], { type: 'retry', error: failure, delayMs: 0 });
    await db.clock.advance(500);
    await db.claimOne(worker, task);
    await expect(db.run(id!)).resolves.toMatchObject({ started_at: first, claims: 2 });
  });

  it('goes past what somebody has locked, without waiting, in one task and in several', async () => {
    const other = await db.task(randomUuid());
    for (const known of [[task], [task, other]]) {
      const [locked, next] = await db.enqueue(task, 2);
      await inForeignTransaction(db, async (foreign) => {
        await foreign.query('select 1 from conductor.run where id = $1 for update', [locked]);
        const reply = await db.claim(worker, known, 5);
        expect(ids(reply)).toEqual([next]);
        expect(reply.dueInMs).toBe(0); // and says that there is something
      });
      expect(ids(await db.claim(worker, known, 5))).toEqual([locked]);
    }
  });

  it('reaches the highest and the lowest priority there is', async () => {
    const [lowest] = await db.enqueue(task, 1, { priority: -32_768 });
    const [highest] = await db.enqueue(task, 1, { priority: 32_767 });
    expect(ids(await db.claim(worker, [task], 1))).toEqual([highest]);
    expect(ids(await db.claim(worker, [task], 1))).toEqual([lowest]);
  });

  it('tells when something is due only of the queues that were not filled', async () => {
    const mail = await db.task(randomUuid(), { queue: randomUuid() });
    await db.enqueue(task, 2);
    await db.enqueue(mail, 1, { delayMs: 60_000 });
    await expect(db.claim(worker, [task, mail], 1)).resolves.toMatchObject({ dueInMs: 60_000 });
    await db.enqueue(mail);
    const filled = await db.claim(worker, [task, mail], 1);
    expect(filled.executions).toHaveLength(2);
    expect(filled.dueInMs).toBeUndefined();
  });

  it('of several queues gives each its own slots, in whatever order they are asked for', async () => {
    const mail = await db.task(randomUuid(), { queue: randomUuid() });
    await db.enqueue(task, 5);
    await db.enqueue(mail, 5);
    const { executions } = await db.executions.claim({
      workerId: worker,
      token: randomUuid(),
      alonePatienceMs: 0,
      queues: [
        { queueId: mail.queueId, slots: 1, taskIds: [mail.taskId] },
        { queueId: task.queueId, slots: 3, taskIds: [task.taskId] },
      ],
    });
    const of = (id: number) => executions.filter(({ taskId }) => taskId === id).length;
    expect([of(mail.taskId), of(task.taskId)]).toEqual([1, 3]);
  });

  it('of a reaped worker changes nothing', async () => {
    const [id] = await db.enqueue(task);
    const dead = await db.worker();
    await db.test.query('update conductor.worker set dead = true where id = $1', [dead]);
    await expect(db.claim(dead, [task])).resolves.toEqual({
      executions: [],
      dueInMs: undefined,
      cursors: new Map(),
      overdue: false,
      refused: true,
    });
    await expect(db.claim(dead + 1_000, [task])).resolves.toMatchObject({ refused: true });
    await expect(db.run(id!)).resolves.toMatchObject({ status: 0, claims: 0, token: null });
  });
});
