import pg from 'pg';
import { v4 as randomUuid, v7 as orderedUuid } from 'uuid';
import { statusCode } from '../../lib/execution/execution-status.js';
import type { Claimant } from '../../lib/persistence/repositories/execution.repository.js';
import type { NewExecution } from '../../lib/persistence/repositories/new-execution.repository.js';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import { enqueue as enqueueFunction } from '../../lib/persistence/sql/enqueue.js';
import { inForeignTransaction } from '../support/foreign-session.js';
import { freezeClock } from '../support/frozen-clock.js';
import { completed, openWait, SHORT_LEASE_MS, Statements } from '../support/persistence.js';
import { until } from '../support/until.js';

const { pending, running } = statusCode;

describe('an enqueue with slots of a worker', () => {
  let db: Statements;
  let task: TaskIds;
  let worker: number;

  beforeAll(async () => {
    db = await Statements.open();
    await freezeClock(db);
  });

  beforeEach(async () => {
    await db.clear();
    task = await db.task(randomUuid());
    worker = await db.worker(SHORT_LEASE_MS);
  });

  afterAll(() => db.close());

  const item = (rest: Partial<NewExecution> = {}): NewExecution => ({
    id: orderedUuid(),
    taskId: task.taskId,
    payload: '1',
    ...rest,
  });

  const room = (slots = 10, served: TaskIds[] = [task]): Claimant => ({
    workerId: worker,
    token: randomUuid(),
    queues: [...new Set(served.map(({ queueId }) => queueId))].map((queueId) => ({
      queueId,
      slots,
      taskIds: served.filter((one) => one.queueId === queueId).map(({ taskId }) => taskId),
    })),
  });

  const enqueue = (items: NewExecution[], claimant = room(), channels: string[] = []) =>
    db.newExecutions.enqueue(items, channels, 0, claimant);

  const startedOf = async (items: NewExecution[], claimant = room()) =>
    (await enqueue(items, claimant)).executions.map(({ id }) => id);

  it('inserts as claimed by that worker what there are slots for, by id, and the rest as waiting', async () => {
    const items = Array.from({ length: 3 }, (_, at) => item({ payload: `{"at": ${at}}` }));
    const claimant = room(2);
    const now = await db.clock.now();
    const { reports, executions } = await enqueue(items.toReversed(), claimant);
    expect(reports).toEqual(['created', 'created', 'created']);
    expect(executions).toEqual(
      items.slice(0, 2).map(({ id, payload }) => ({
        id,
        token: claimant.token,
        taskId: task.taskId,
        failures: 0,
        losses: 0,
        claims: 1,
        alone: false,
        priority: 0,
        claimedAt: now,
        deadlineInMs: undefined,
        payload,
        records: [],
      })),
    );
    const at = new Date(now);
    await expect(db.run(items[0]!.id)).resolves.toMatchObject({
      status: running,
      token: claimant.token,
      worker_id: worker,
      claims: 1,
      started: true,
      started_at: at,
      run_at: at,
    });
    await expect(db.run(items[2]!.id)).resolves.toMatchObject({
      status: pending,
      token: null,
      worker_id: null,
      claims: 0,
      started: false,
      started_at: null,
    });
    const { executions: claimed } = await db.claim(worker, [task]);
    expect(claimed.map(({ id }) => id)).toEqual([items[2]!.id]);
  });

  it('takes them by priority, that of their task included', async () => {
    const urgent = await db.task(randomUuid(), { priority: 5 });
    const items = [
      item(),
      item({ priority: 4 }),
      item({ taskId: urgent.taskId }),
      item({ priority: 6 }),
    ];
    const started = await startedOf(items, room(2, [task, urgent]));
    expect(started).toEqual([items[3]!.id, items[2]!.id]);
  });

  it('keeps to the slots of each queue, and to the tasks that the worker serves', async () => {
    const other = await db.task(randomUuid(), { queue: 'other' });
    const unserved = await db.task(randomUuid());
    const items = [task, other, unserved, task, other].map(({ taskId }) => item({ taskId }));
    const started = await startedOf(items, room(1, [task, other]));
    expect(started.toSorted()).toEqual([items[0]!.id, items[1]!.id]);
  });

  it('starts what was due before now, and nothing that is not due, or is overdue', async () => {
    const now = await db.clock.now();
    const due = item({ runAt: new Date(now - 1) });
    await expect(
      startedOf([
        due,
        item({ delayMs: 1 }),
        item({ runAt: new Date(now + 1) }),
        item({ deadline: new Date(now) }),
      ]),
    ).resolves.toEqual([due.id]);
  });

  it('tells how long it is until the deadline, and lets nothing expire that has begun', async () => {
    const limited = item({ deadlineMs: 5_000, expireAfterMs: 1_000 });
    const { executions } = await enqueue([limited]);
    expect(executions).toMatchObject([{ id: limited.id, deadlineInMs: 5_000 }]);
    await db.settle([executions[0]!], { type: 'released' });
    await expect(db.run(limited.id)).resolves.toMatchObject({ expires_at: null });
  });

  it.each([
    ['waits', async () => void (await db.enqueue(task))],
    ['waits at a lower priority', async () => void (await db.enqueue(task, 1, { priority: -9 }))],
    [
      'runs alone and waits',
      async () => {
        const [id] = await db.enqueue(task);
        await db.test.query('update conductor.run set alone = true where id = $1', [id]);
      },
    ],
    [
      'was suspended and is due',
      async () => {
        await db.enqueue(task);
        await db.suspend(await db.claimOne(worker, task), [openWait('w', 1_000)]);
        await db.clock.advance(1_000);
      },
    ],
  ])('overtakes nothing of its queue that %s', async (_, before) => {
    await before();
    const one = item();
    await expect(startedOf([one])).resolves.toEqual([]);
    await expect(db.run(one.id)).resolves.toMatchObject({ status: pending });
  });

  it('overtakes nothing of another task of its queue either', async () => {
    const other = await db.task(randomUuid());
    await db.enqueue(other);
    await expect(startedOf([item()], room(1, [task, other]))).resolves.toEqual([]);
  });

  it('heeds nothing that is due later, runs, or is of tasks and queues that the worker does not take', async () => {
    await db.enqueue(await db.task(randomUuid()));
    await db.enqueue(await db.task(randomUuid(), { queue: 'other' }));
    await db.enqueue(task);
    await db.claimOne(worker, task);
    await db.enqueue(task, 1, { delayMs: 1, priority: 9 });
    const one = item();
    await expect(startedOf([one])).resolves.toEqual([one.id]);
  });

  it.each([
    ['was reaped', 'update conductor.worker set dead = true where id = $1'],
    ['is stopping', 'update conductor.worker set stopping = true where id = $1'],
    ['is not known', 'delete from conductor.worker where id = $1'],
    ['has code that is too old', 'update conductor.worker set version = -1 where id = $1'],
  ])('accepts, and starts nothing on a worker that %s', async (_, sql) => {
    await db.test.query('update conductor.installation set min_compatible = 0');
    await db.test.query(sql, [worker]);
    const one = item();
    await expect(enqueue([one])).resolves.toMatchObject({ reports: ['created'], executions: [] });
    await expect(db.run(one.id)).resolves.toMatchObject({ status: pending });
  });

  it('does not wait for a recovery that is looking at its worker', async () => {
    await inForeignTransaction(db, async (foreign) => {
      await foreign.query('select 1 from conductor.worker where id = $1 for update', [worker]);
      await expect(enqueue([item()])).resolves.toMatchObject({ executions: [] });
    });
  });

  it('excludes the recovery of its worker until it is committed, which then finds what has started', async () => {
    const survivor = await db.worker(SHORT_LEASE_MS);
    const one = item();
    await inForeignTransaction(db, async (foreign) => {
      const { workerId, token } = room();
      await foreign.query(enqueueFunction.call('conductor'), [
        [one.id],
        [task.taskId],
        ...Array.from({ length: 7 }, () => null),
        ['1'],
        null,
        [],
        workerId,
        token,
        [task.taskId],
        [task.queueId],
        [task.queueId],
        [1],
        false,
      ]);
      await db.lapse(survivor, SHORT_LEASE_MS);
      await expect(db.workers.recover(survivor)).resolves.toEqual([]);
      await foreign.commit();
    });
    await expect(db.workers.recover(survivor)).resolves.toMatchObject([
      { workerId: worker, recovered: 1 },
    ]);
    await expect(db.run(one.id)).resolves.toMatchObject({ status: pending, losses: 1 });
  });

  it('inserts as claimed what bears ids that were made for it, and only what there are slots for', async () => {
    const items = Array.from({ length: 3 }, () => item({ fresh: true }));
    const claimant = room(2);
    const { reports, executions } = await enqueue(items, claimant);
    expect(reports).toEqual(['created', 'created', 'created']);
    expect(executions.map(({ id, token }) => ({ id, token }))).toEqual(
      items.slice(0, 2).map(({ id }) => ({ id, token: claimant.token })),
    );
    await expect(db.run(items[2]!.id)).resolves.toMatchObject({ status: pending, claims: 0 });
  });

  it('that is sent again finds what it has started, and starts nothing twice', async () => {
    const items = [item(), item(), item()];
    const claimant = room(2);
    const first = await enqueue(items, claimant);
    const again = await enqueue(items, claimant);
    expect(again.executions).toEqual(first.executions);
    expect(again.reports).toEqual(['existing', 'existing', 'existing']);
    await db.settle([first.executions[0]!], completed());
    await expect(startedOf(items, claimant)).resolves.toEqual([items[1]!.id]);
    await db.settle([first.executions[1]!], { type: 'released' });
    await expect(startedOf(items, claimant)).resolves.toEqual([]);
    await expect(startedOf(items)).resolves.toEqual([]); // somebody else's, with the same ids
  });

  it('starts nothing that it did not make', async () => {
    const known = item({ delayMs: 60_000 });
    await enqueue([known]);
    const twice = item();
    const { reports, executions } = await enqueue([
      { ...known, delayMs: undefined },
      twice,
      { ...twice, payload: '2' },
      item({ taskId: 999_999 }),
    ]);
    expect(reports).toEqual(['existing', 'created', 'existing', 'unknownTask']);
    expect(executions).toMatchObject([{ id: twice.id, payload: '1' }]);
    await expect(db.run(known.id)).resolves.toMatchObject({ status: pending });
  });

  it('is known to its worker’s heartbeat by its token', async () => {
    const { executions } = await enqueue([item()]);
    const [fence] = executions.map(({ id, token }) => ({ id, token }));
    await expect(db.workers.beat(worker, [], [])).resolves.toMatchObject({ orphans: [fence] });
    await expect(db.workers.beat(worker, [], [fence!])).resolves.toMatchObject({ orphans: [] });
  });

  it('wakes nobody for what has started, and others for what waits', async () => {
    const heard: string[] = [];
    const listener = new pg.Client(db.test.url);
    await listener.connect();
    try {
      listener.on('notification', ({ channel }) => heard.push(channel));
      for (const channel of ['started', 'waits', 'mark']) await listener.query(`listen ${channel}`);
      await enqueue([item(), item()], room(2), ['started']);
      await enqueue([item(), item()], room(1), ['waits']);
      await db.test.query('notify mark');
      await until(() => heard.includes('mark'));
      expect(heard).toEqual(['waits', 'mark']);
    } finally {
      await listener.end();
    }
  });
});
