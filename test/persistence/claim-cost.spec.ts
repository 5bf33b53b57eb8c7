import pg from 'pg';
import { v4 as randomUuid, v7 as orderedUuid } from 'uuid';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import { inForeignTransaction } from '../support/foreign-session.js';
import { Statements } from '../support/persistence.js';

/** Blocks of 8 kB that a statement may read beyond what it reads when nothing else is there: some more levels of some
 *  indexes. Reading past a backlog of this suite's size costs hundreds. */
const SLACK_BLOCKS = 60;
const DUE = 5;
const SLOTS = 20;

/** The least of so many counts: a session that plans anew reads catalogs as well. */
const TRIES = 3;

interface Bulk {
  rows: number;
  priority?: number;
  delayMs?: number;
  status?: number;
  alone?: boolean;
  /** Default: true. */
  analyzed?: boolean;
}

/** Of plans and not of time: blocks are the same on any machine. */
describe('the cost of finding work', () => {
  let db: Statements;
  let session: pg.Client;
  let worker: number;

  beforeAll(async () => {
    db = await Statements.open();
    worker = await db.worker();
    session = new pg.Client(db.test.url);
    await session.connect();
  });

  afterAll(async () => {
    await session.end();
    await db.close();
  });

  /** Rows of the hot table only, for what is not to be claimed. */
  async function fill(task: TaskIds, bulk: Bulk): Promise<void> {
    const {
      rows,
      priority = 0,
      delayMs = -60_000,
      status = 0,
      alone = false,
      analyzed = true,
    } = bulk;
    await db.test.query(
      `insert into conductor.run (id, run_at, task_id, priority, status, alone)
       select gen_random_uuid(), conductor.clock() + ($2::float8 + n / 1000.0) * interval '1 ms', $1, $3, $4, $5
       from generate_series(1, $6::int) n`,
      [task.taskId, delayMs, priority, status, alone, rows],
    );
    if (analyzed) await db.test.query('analyze conductor.run');
  }

  /** The root's figures contain what the function's own statements read. */
  async function blocks(call: string): Promise<number> {
    const { rows } = await session.query<{ 'QUERY PLAN': [{ Plan: Record<string, number> }] }>(
      `explain (analyze, buffers, format json) ${call}`,
    );
    const { Plan } = rows[0]!['QUERY PLAN'][0];
    return Plan['Shared Hit Blocks']! + Plan['Shared Read Blocks']!;
  }

  async function leastBlocks(measure: () => Promise<number>): Promise<number> {
    const counts: number[] = [];
    while (counts.length < TRIES) counts.push(await measure());
    return Math.min(...counts);
  }

  /** Blocks that a claim reads which finds a handful of due executions and has slots left. */
  const claimCost = (tasks: TaskIds[], slots = SLOTS): Promise<number> =>
    leastBlocks(async () => {
      const ids = Array.from({ length: DUE }, () => orderedUuid());
      await db.newExecutions.enqueue(
        ids.map((id) => ({ id, taskId: tasks[0]!.taskId, payload: '1' })),
        [],
        0,
      );
      const taskIds = tasks.map(({ taskId }) => taskId).join();
      const queueIds = tasks.map(({ queueId }) => queueId).join();
      const cost = await blocks(
        `select * from conductor.claim(${worker}, '${randomUuid()}', '{${taskIds}}', '{${queueIds}}',
           '{${tasks[0]!.queueId}}', '{${slots}}', 0, false)`,
      );
      const claimed = await db.test.query(
        'select id from conductor.run where id = any($1) and status = 1',
        [ids],
      );
      expect(claimed).toHaveLength(DUE);
      return cost;
    });

  const pair = async (): Promise<[TaskIds, TaskIds]> => [
    await db.task(randomUuid()),
    await db.task(randomUuid()),
  ];

  it('does not grow with 50,000 executions that wait in front for a task no worker here knows', async () => {
    const [task, unknown] = await pair();
    const before = await claimCost([task]);
    await fill(unknown, { rows: 50_000, priority: 9 });
    await expect(claimCost([task])).resolves.toBeLessThan(before + SLACK_BLOCKS);
  });

  it('does not grow with 20,000 executions of the same task that are due later', async () => {
    const [task] = await pair();
    const before = await claimCost([task]);
    await fill(task, { rows: 20_000, delayMs: 3_600_000 });
    await expect(claimCost([task])).resolves.toBeLessThan(before + SLACK_BLOCKS);
  });

  it('does not grow in a session that has planned it while the table was empty', async () => {
    await db.test.query('alter table conductor.run set (autovacuum_enabled = off)');
    await db.test.query('delete from conductor.run');
    await db.test.query('vacuum analyze conductor.run');
    await session.end();
    session = new pg.Client(db.test.url);
    await session.connect();
    const [task] = await pair();
    const plannedForGood = 6; // calls; the first five are planned each for itself
    for (let call = 0; call < plannedForGood; call += TRIES) await claimCost([task]);
    const before = await claimCost([task]);
    await fill(task, { rows: 20_000, delayMs: 3_600_000, analyzed: false });
    await expect(claimCost([task])).resolves.toBeLessThan(before + SLACK_BLOCKS);
  });

  it('does not grow with sleepers of a higher priority, parked ones, and those that run alone', async () => {
    const [task, other] = await pair();
    const before = await claimCost([task, other]);
    const later = { rows: 10_000, delayMs: 3_600_000 };
    const lanes = 2; // each is looked into: a few probes a task
    await fill(task, { ...later, priority: 9 });
    await fill(task, { ...later, status: 2 });
    await fill(other, { ...later, priority: 5, status: 2 });
    await fill(other, { ...later, alone: true });
    await expect(claimCost([task, other])).resolves.toBeLessThan(before + lanes * SLACK_BLOCKS);
  });

  it('does not grow with the backlog of a queue, of one task or of several', async () => {
    const [task, other] = await pair();
    for (const tasks of [[task], [task, other]]) {
      const before = await claimCost(tasks, DUE);
      for (const waiting of tasks) await fill(waiting, { rows: 10_000, delayMs: 60_000 });

      await expect(claimCost(tasks, DUE)).resolves.toBeLessThan(before + SLACK_BLOCKS);
    }
  });

  it.each([
    ['one task', 1],
    ['two tasks', 2],
  ])(
    'PF7 does not grow with what has been drained of %s, while an old snapshot keeps all of that in the index',
    async (_, count) => {
      // tasks of its own: what another run has drained may still be in the index
      const tasks = (await pair()).slice(0, count);
      const [{ queueId }] = tasks as [TaskIds];
      for (const task of tasks) await db.enqueue(task, 6_000);
      await db.test.query('analyze conductor.run');
      const taskIds = tasks.map((task) => task.taskId).join();
      const queueIds = tasks.map((task) => task.queueId).join();
      const cost = (after?: string) =>
        leastBlocks(() =>
          blocks(
            `select * from conductor.claim(${worker}, '${randomUuid()}', '{${taskIds}}', '{${queueIds}}', '{${queueId}}', '{20}', 0,
               false, ${after ? `'{"${after}"}'` : 'null'})`,
          ),
        );
      await inForeignTransaction(db, async (old) => {
        await old.query('set transaction isolation level repeatable read');
        await old.query('select 1 from conductor.run limit 1');
        const first = await cost();
        let after: string | undefined;
        for (let n = 0; n < 8; n += 1) {
          const { executions, cursors } = await db.claim(worker, tasks, 700, 0, after);
          await db.settle(executions, { type: 'completed', result: 'null' });
          after = cursors.get(queueId);
        }
        const goingOn = await cost(after);
        expect(goingOn).toBeLessThan(first + SLACK_BLOCKS);
        // so that it is the cursor that spares them
        await expect(cost()).resolves.toBeGreaterThan(goingOn + 2 * SLACK_BLOCKS);
      });
    },
  );

  it('of a heartbeat is that of one probe for each lane', async () => {
    const [task] = await pair();
    const beat = () =>
      leastBlocks(() =>
        blocks(`select * from conductor.heartbeat(${worker}, '{${task.taskId}}', '{}', '{}')`),
      );
    const before = await beat();
    await fill(task, { rows: 10_000, delayMs: 3_600_000 });
    await fill(task, { rows: 10_000, priority: 3 });
    await expect(beat()).resolves.toBeLessThan(before + SLACK_BLOCKS);
  });

  it('of a recovery is that of what the dead worker owned', async () => {
    const task = await db.task(randomUuid());
    const survivor = await db.worker();
    const cost = () =>
      leastBlocks(async () => {
        const dead = await db.worker();
        await db.enqueue(task, DUE);
        await db.claim(dead, [task], DUE);
        await db.test.query('update conductor.worker set dead = true where id = $1', [dead]);
        const count = await blocks(`select * from conductor.recover(${survivor}, 500)`);
        const left = await db.test.query('select 1 from conductor.run where worker_id = $1', [
          dead,
        ]);
        expect(left).toEqual([]);
        await db.test.query('delete from conductor.worker where id = $1', [dead]);
        return count;
      });
    const before = await cost();
    await fill(await db.task(randomUuid()), { rows: 20_000 });
    await expect(cost()).resolves.toBeLessThan(before + SLACK_BLOCKS);
  });

  it('B3 of pruning is that of what is due, however much is kept for longer or for ever', async () => {
    const day = 86_400_000;
    const [kept, young] = [
      await db.task(randomUuid(), { retention: { failedMs: 1 } }),
      await db.task(randomUuid(), { retention: { completedMs: 7 * day } }),
    ];
    const cost = () =>
      leastBlocks(() => blocks(`select * from conductor.prune(1000, 1000, null, null, null)`));
    const before = await cost();
    for (const [{ taskId }, days] of [
      [kept, 100],
      [young, 6],
    ] as const) {
      await db.test.query(
        `insert into conductor.outcome (id, finished_at, task_id, claims, status, failures, losses, result)
         select gen_random_uuid(), conductor.clock() - $2 * interval '1 day', $1, 1, 4, 0, 0, '1'
         from generate_series(1, 20000)`,
        [taskId, days],
      );
    }
    await db.test.query('analyze conductor.outcome');
    await expect(cost()).resolves.toBeLessThan(before + SLACK_BLOCKS);
  });

  it('B3 of pruning does not grow with what it has removed, while an old snapshot keeps all of that in the indexes', async () => {
    const task = await db.task(randomUuid(), { retention: { completedMs: 1 } });
    await db.test.query(
      `insert into conductor.outcome (id, finished_at, task_id, claims, status, failures, losses, result)
       select gen_random_uuid(), conductor.clock() - interval '1 day' + n * interval '1 ms', $1, 1, 4, 0, 0, '1'
       from generate_series(1, 20000) n`,
      [task.taskId],
    );
    await db.test.query('analyze conductor.outcome');
    await inForeignTransaction(db, async (old) => {
      await old.query('set transaction isolation level repeatable read');
      await old.query('select 1 from conductor.task');
      const call = (from: string) => `select * from conductor.prune(100, 1000, ${from})`;
      const first = await blocks(call('null, null, null'));
      let { reached } = await db.retention.prune();
      for (let i = 0; i < 15; i += 1) ({ reached } = await db.retention.prune(reached));
      const last = await blocks(
        call(`${reached.task}, ${reached.status}::smallint, '${reached.since!.toISOString()}'`),
      );
      expect(last).toBeLessThan(first + SLACK_BLOCKS);
    });
  });
});
