import { v4 as randomUuid } from 'uuid';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import type { Recovery } from '../../lib/persistence/repositories/worker.repository.js';
import { recover } from '../../lib/persistence/sql/recover.js';
import { inForeignTransaction, somebodyWaits } from '../support/foreign-session.js';
import { freezeClock } from '../support/frozen-clock.js';
import { failure, record, SHORT_LEASE_MS, Statements } from '../support/persistence.js';

describe('recovery, beside others and at its bounds', () => {
  let db: Statements;
  let task: TaskIds;
  let survivor: number;
  let victim: number;

  beforeAll(async () => {
    db = await Statements.open();
    await freezeClock(db);
  });

  beforeEach(async () => {
    await db.clear();
    task = await db.task(randomUuid());
    survivor = await db.worker(SHORT_LEASE_MS);
    victim = await db.worker(SHORT_LEASE_MS);
  });

  afterAll(() => db.close());

  const lapse = () => db.lapse(survivor, SHORT_LEASE_MS);
  const bounded = async (limit: number) => {
    const rows = await db.database.statement.run<{
      recovered: number;
      ended: number;
      more: boolean;
    }>(recover.call('conductor'), [survivor, limit]);
    return rows.map(({ recovered, ended, more }) => ({ recovered, ended, more }));
  };
  const of = (recoveries: Recovery[], worker: number) =>
    recoveries.find(({ workerId }) => workerId === worker);
  const workers = async () => {
    const rows = await db.test.query<{ id: number }>('select id from conductor.worker order by id');
    return rows.map(({ id }) => id);
  };
  /** Claims what waits as a new worker, which then vanishes. */
  const lose = async (start = true): Promise<Recovery | undefined> => {
    const doomed = await db.worker(SHORT_LEASE_MS);
    const { executions } = await db.claim(doomed, [task]);
    for (const { id, token, alone } of executions) {
      if (alone && start) await db.executions.startAlone(id, token, () => false);
    }
    await lapse();
    return of(await db.workers.recover(survivor), doomed);
  };

  it('leaves a worker alone whose last beat is exactly one lease old', async () => {
    await db.enqueue(task);
    await db.claimOne(victim, task);
    for (let i = 0; i < 4; i += 1) {
      await db.workers.beat(survivor, [], []);
      await db.clock.advance(SHORT_LEASE_MS / 4);
    }
    await db.workers.beat(survivor, [], []);
    await expect(db.workers.recover(survivor)).resolves.toEqual([]);
    await db.clock.advance(1);
    await expect(db.workers.recover(survivor)).resolves.toMatchObject([{ workerId: victim }]);
  });

  it('takes a bounded number at a time, in the order of ids, and says when there may be more', async () => {
    const ids = await db.enqueue(task, 5);
    await db.claim(victim, [task]);
    await lapse();
    await expect(bounded(2)).resolves.toEqual([{ recovered: 2, ended: 0, more: true }]);
    const running = await db.test.query(
      'select id from conductor.run where status = 1 order by id',
    );
    expect(running).toEqual(ids.slice(2).map((id) => ({ id })));
    await expect(bounded(2)).resolves.toEqual([{ recovered: 2, ended: 0, more: true }]);
    await expect(bounded(2)).resolves.toEqual([{ recovered: 1, ended: 0, more: false }]);
    await expect(workers()).resolves.toEqual([survivor, victim]); // until there is nothing left to be found
    await expect(bounded(2)).resolves.toEqual([{ recovered: 0, ended: 0, more: false }]);
    await expect(workers()).resolves.toEqual([survivor]);
    await expect(bounded(2)).resolves.toEqual([]);
  });

  it('notes each loss with the attempt that it interrupted, and keeps the records of that attempt', async () => {
    await db.enqueue(task);
    await db.settle([await db.claimOne(victim, task)], {
      type: 'retry',
      error: failure,
      delayMs: 0,
    });
    const fence = await db.claimOne(victim, task);
    await db.save(fence, [record('caught', { status: 'failed', value: '{}' })]);
    await lapse();
    await db.workers.recover(survivor);
    await expect(
      db.test.query(
        `select claim, attempt, error->>'code' as code from conductor.failure where execution_id = $1 order by claim`,
        [fence.id],
      ),
    ).resolves.toEqual([
      { claim: 1, attempt: 1, code: null },
      { claim: 2, attempt: 2, code: 'WORKER_LOST' },
    ]);
    const { executions } = await db.claim(survivor, [task]);
    expect(executions).toMatchObject([
      {
        failures: 1,
        losses: 1,
        claims: 3,
        records: [{ name: 'caught', status: 'failed', optional: false }],
      },
    ]);
  });

  it('puts what was lost back in front of what came later', async () => {
    const [lost] = await db.enqueue(task);
    await db.claim(victim, [task]);
    await db.clock.advance(1);
    const [later] = await db.enqueue(task);
    await lapse();
    await db.workers.recover(survivor);
    const { executions } = await db.claim(survivor, [task]);
    expect(executions.map(({ id }) => id)).toEqual([lost, later]);
  });

  it('lets an execution whose task allows one loss run alone after the first, and ends it only there', async () => {
    task = await db.task(randomUuid(), { maxLosses: 1 });
    const [id] = await db.enqueue(task);
    await expect(lose()).resolves.toMatchObject({ recovered: 1, ended: 0 });
    await expect(db.run(id!)).resolves.toMatchObject({ losses: 1, alone: true, started: false });
    await expect(lose(false)).resolves.toMatchObject({ recovered: 1, ended: 0 }); // claimed, not started
    await expect(db.run(id!)).resolves.toMatchObject({ losses: 1, alone: true });
    await expect(lose()).resolves.toMatchObject({ recovered: 0, ended: 1 });
    await expect(db.run(id!)).resolves.toBeUndefined();
    await expect(db.outcome(id!)).resolves.toMatchObject({
      status: 5,
      losses: 2,
      failures: 0,
      claims: 3,
      error: { name: 'WorkerLostError', code: 'WORKER_LOST' },
    });
  });

  it('does not end what runs alone when the worker had said that it was stopping', async () => {
    task = await db.task(randomUuid(), { maxLosses: 1 });
    const [id] = await db.enqueue(task);
    await db.test.query('update conductor.run set alone = true, losses = 1');
    const { executions } = await db.claim(victim, [task]);
    await db.executions.startAlone(id!, executions[0]!.token, () => false);
    await db.workers.announceStop(victim);
    await lapse();
    await expect(db.workers.recover(survivor)).resolves.toMatchObject([{ recovered: 1, ended: 0 }]);
    await expect(db.run(id!)).resolves.toMatchObject({ status: 0, losses: 1, alone: true });
  });

  it('charges a loss once, however many workers recover at the same time', async () => {
    const ids = await db.enqueue(task, 20);
    await db.claim(victim, [task]);
    const others = await Promise.all([1, 2, 3].map(() => db.worker(SHORT_LEASE_MS)));
    for (let i = 0; i < 8; i += 1) {
      await db.clock.advance(SHORT_LEASE_MS / 4);
      await Promise.all([survivor, ...others].map((id) => db.workers.beat(id, [], [])));
    }
    const replies = await Promise.all([survivor, ...others].map((id) => db.workers.recover(id)));
    const sum = replies.flat().reduce((total, { recovered }) => total + recovered, 0);
    expect(sum).toBe(ids.length);
    await expect(db.test.query('select distinct losses from conductor.run')).resolves.toEqual([
      { losses: 1 },
    ]);
  });

  it('goes past a worker that somebody has locked to the next', async () => {
    const second = await db.worker(SHORT_LEASE_MS);
    await db.enqueue(task, 2);
    await db.claimOne(victim, task);
    await db.claimOne(second, task);
    await lapse();
    await inForeignTransaction(db, async (foreign) => {
      await foreign.query('select 1 from conductor.worker where id = $1 for update', [victim]);
      await expect(db.workers.recover(survivor)).resolves.toMatchObject([
        { workerId: second, recovered: 1 },
      ]);
    });
    const rest = await db.workers.recover(survivor);
    expect(of(rest, victim)).toMatchObject({ recovered: 1 });
  });

  const claimText = 'select kind from conductor.claim($1, $2, $3, $4, $5, $6, 0, false)';
  const claimBy = (worker: number) => [
    worker,
    randomUuid(),
    [task.taskId],
    [task.queueId],
    [task.queueId],
    [1],
  ];

  it('waits for a claim of the lapsed worker that is in flight, and finds what it claimed', async () => {
    const [id] = await db.enqueue(task);
    await lapse();
    await inForeignTransaction(db, async (foreign) => {
      await expect(foreign.query(claimText, claimBy(victim))).resolves.toEqual(
        expect.arrayContaining([{ kind: 0 }]),
      );
      await expect(db.workers.recover(survivor)).resolves.toEqual([]);
      await expect(workers()).resolves.toContain(victim);
      await foreign.commit();
    });
    await expect(db.workers.recover(survivor)).resolves.toMatchObject([
      { workerId: victim, recovered: 1 },
    ]);
    await expect(db.run(id!)).resolves.toMatchObject({ status: 0 });
  });

  it('in flight makes a claim of its victim wait and then come back with nothing', async () => {
    const [id] = await db.enqueue(task);
    await lapse();
    await inForeignTransaction(db, async (foreign) => {
      await foreign.query(recover.call('conductor'), [survivor, 500]);
      const claim = db.claim(victim, [task]);
      await somebodyWaits(db);
      await foreign.commit();
      await expect(claim).resolves.toMatchObject({ refused: true, executions: [] });
    });
    await expect(db.run(id!)).resolves.toMatchObject({ status: 0, claims: 0 });
  });

  it('of a worker whose settle is in flight takes only what that does not end', async () => {
    await db.enqueue(task, 2);
    const settling = await db.claimOne(victim, task);
    const lost = await db.claimOne(victim, task);
    await lapse();
    await inForeignTransaction(db, async (foreign) => {
      await foreign.query('select * from conductor.settle($1, $2, $3, $4, $5, $6)', [
        [settling.id],
        [settling.token],
        [0],
        ['1'],
        [null],
        [false],
      ]);
      await expect(db.workers.recover(survivor)).resolves.toMatchObject([{ recovered: 1 }]);
      await foreign.commit();
    });
    await expect(db.outcome(settling.id)).resolves.toMatchObject({ status: 4 });
    await expect(db.run(lost.id)).resolves.toMatchObject({ status: 0, losses: 1 });
    await db.workers.recover(survivor);
    await expect(db.outcome(settling.id)).resolves.toMatchObject({ losses: 0 });
  });

  it('is done by no worker that was reaped itself', async () => {
    await db.enqueue(task);
    await db.claimOne(victim, task);
    await lapse();
    await db.test.query('update conductor.worker set dead = true where id = $1', [survivor]);
    await expect(db.workers.recover(survivor)).resolves.toEqual([]);
    await expect(db.workers.recover(survivor + 1_000)).resolves.toEqual([]);
  });

  it('finds what is left of a worker that another one reaped, without being steady itself', async () => {
    await db.enqueue(task);
    await db.claimOne(victim, task);
    await db.test.query('update conductor.worker set dead = true where id = $1', [victim]);
    await db.test.query('delete from conductor.worker where id = $1', [survivor]);
    await db.clock.advance(SHORT_LEASE_MS);
    const newcomer = await db.worker(SHORT_LEASE_MS);
    await expect(db.workers.recover(newcomer)).resolves.toMatchObject([
      { workerId: victim, recovered: 1 },
    ]);
  });

  it('does not let a worker of a long lease reap one of a short lease after an outage that it did not notice', async () => {
    const patient = await db.worker(SHORT_LEASE_MS * 100);
    for (let i = 0; i < 8; i += 1) {
      await db.clock.advance(SHORT_LEASE_MS / 4);
      await Promise.all([survivor, victim, patient].map((id) => db.workers.beat(id, [], [])));
    }
    const [id] = await db.enqueue(task);
    await db.claimOne(victim, task);
    await db.clock.advance(SHORT_LEASE_MS * 40); // the database is away for everybody, and less than half of the long lease
    await db.workers.beat(patient, [], []);
    await expect(db.workers.recover(patient)).resolves.toEqual([]);
    await expect(db.workers.beat(victim, [], [])).resolves.toBeDefined();
    await expect(db.run(id!)).resolves.toMatchObject({ status: 1, losses: 0 });
  });

  it('lets a worker of a long lease recover one of the shortest lease in the end', async () => {
    await db.test.query('delete from conductor.worker');
    const patient = await db.worker(30_000);
    const hasty = await db.worker(1_000);
    await db.enqueue(task);
    await db.claimOne(hasty, task);
    let recovered: Recovery[] = [];
    let interval = 0;
    for (let beats = 0; beats < 20 && recovered.length === 0; beats += 1) {
      await db.clock.advance(interval);
      const reply = await db.workers.beat(patient, [], []);
      interval = reply!.shortestLeaseMs / 5 + 5; // as often as it is asked to, and the round trip
      recovered = await db.workers.recover(patient);
    }
    expect(recovered).toMatchObject([{ workerId: hasty, recovered: 1 }]);
  });
});
