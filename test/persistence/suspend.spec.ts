import { v4 as randomUuid } from 'uuid';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import type { Fence } from '../../lib/persistence/repositories/worker.repository.js';
import { inForeignTransaction } from '../support/foreign-session.js';
import { freezeClock } from '../support/frozen-clock.js';
import { completed, openWait, record, Statements } from '../support/persistence.js';

const parked = { type: 'parked' };
const lost = { type: 'lost' };

describe('suspending', () => {
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

  const claimed = async (): Promise<Fence> => {
    await db.enqueue(task);
    return await db.claimOne(worker, task);
  };
  const names = async ({ id }: Fence) => {
    const rows = await db.test.query<{ name: string }>(
      `select name from conductor.step where execution_id = $1 order by name`,
      [id],
    );
    return rows.map(({ name }) => name);
  };

  it('parks until the earliest of the waits, and gives the attempt back', async () => {
    const fence = await claimed();
    await expect(
      db.suspend(fence, [openWait('late', 90_000), openWait('early', 60_000)]),
    ).resolves.toEqual([parked]);
    const at = await db.clock.now();
    await expect(db.run(fence.id)).resolves.toMatchObject({
      status: 2,
      token: null,
      worker_id: null,
      started: false,
      failures: 0,
      losses: 0,
      run_at: new Date(at + 60_000),
    });
    await db.clock.advance(59_999);
    await expect(db.claim(worker, [task])).resolves.toMatchObject({ executions: [], dueInMs: 1 });
    await db.clock.advance(1);
    const { executions } = await db.claim(worker, [task]);
    expect(executions).toMatchObject([{ id: fence.id, claims: 2, failures: 0 }]);
    expect(executions[0]!.records.map(({ name, dueInMs }) => [name, dueInMs])).toEqual([
      ['early', 0],
      ['late', 30_000],
    ]);
  });

  it('does not park when a wait is over to the very millisecond, and names every such wait', async () => {
    const fence = await claimed();
    await db.save(fence, [openWait('a', 30_000), openWait('b', 30_001), openWait('c', 10_000)]);
    await db.clock.advance(30_000);
    const replies = await db.suspend(fence, [
      openWait('a', 1),
      openWait('b', 1),
      openWait('c', 1),
      openWait('d', 99_000),
    ]);
    expect(replies).toMatchObject([{ type: 'decided' }]);
    expect((replies[0] as { names: string[] }).names.toSorted()).toEqual(['a', 'c']);
    await expect(db.run(fence.id)).resolves.toMatchObject({
      status: 1,
      token: fence.token,
      worker_id: worker,
    });
    await expect(names(fence)).resolves.toEqual(['a', 'b', 'c', 'd']); // what is not over is stored all the same
    await expect(db.settle([fence], completed())).resolves.toEqual(['applied']);
  });

  it('stores what was not saved yet in either case', async () => {
    const decided = await claimed();
    const caught = record('caught', { status: 'failed', value: '{}', seq: 1 });
    await expect(db.suspend(decided, [caught, openWait('over', 0)])).resolves.toEqual([
      { type: 'decided', names: ['over'] },
    ]);
    await expect(names(decided)).resolves.toEqual(['caught', 'over']);
    const kept = await claimed();
    await expect(db.suspend(kept, [caught, openWait('w', 60_000)])).resolves.toEqual([parked]);
    await expect(names(kept)).resolves.toEqual(['caught', 'w']);
  });

  it('counts only the waits that it names: an open one that the handler did not ask for wakes nobody', async () => {
    const fence = await claimed();
    await db.save(fence, [openWait('of another path', 1_000)]);
    await expect(db.suspend(fence, [openWait('asked', 60_000)])).resolves.toEqual([parked]);
    const at = await db.clock.now();
    await expect(db.run(fence.id)).resolves.toMatchObject({ run_at: new Date(at + 60_000) });
    await db.clock.advance(60_000);
    const again = await db.claimOne(worker, task); // and by now the other one is over
    await expect(db.suspend(again, [openWait('new', 60_000)])).resolves.toEqual([parked]);
  });

  it('parks a replayed wait until the time it was first due at', async () => {
    const first = await claimed();
    await db.suspend(first, [openWait('month', 30 * 86_400_000), openWait('minute', 60_000)]);
    const due = (await db.clock.now()) + 30 * 86_400_000;
    await db.clock.advance(60_000);
    const second = await db.claimOne(worker, task);
    const over = record('minute', { kind: 'sleep', value: undefined, seq: 1 });
    await expect(db.suspend(second, [over, openWait('month', 30 * 86_400_000)])).resolves.toEqual([
      parked,
    ]);
    await expect(db.run(second.id)).resolves.toMatchObject({ run_at: new Date(due) });
  });

  it('parks for a step between two tries as for any wait', async () => {
    const fence = await claimed();
    const tried = record('flaky', { status: 'open', seq: undefined, tries: 1, dueInMs: 5_000 });
    await expect(db.suspend(fence, [tried, openWait('w', 60_000)])).resolves.toEqual([parked]);
    const at = await db.clock.now();
    await expect(db.run(fence.id)).resolves.toMatchObject({ run_at: new Date(at + 5_000) });
  });

  it('answers for each of many executions by itself', async () => {
    await db.enqueue(task, 4);
    const { executions } = await db.claim(worker, [task]);
    const [a, b, c, d] = executions.map(({ id, token }) => ({ id, token }));
    await inForeignTransaction(db, async (foreign) => {
      await foreign.query(`select 1 from conductor.run where id = $1 for update`, [d!.id]);
      await expect(
        db.executions.suspend(
          [
            { ...a!, records: [openWait('w', 60_000)] },
            { ...b!, records: [openWait('w', 0)] },
            { ...c!, token: randomUuid(), records: [openWait('w', 60_000)] },
            { ...d!, records: [openWait('w', 60_000)] },
          ],
          () => false,
        ),
      ).resolves.toEqual([parked, { type: 'decided', names: ['w'] }, lost, { type: 'busy' }]);
    });
    await expect(names(c!)).resolves.toEqual([]);
    await expect(names(d!)).resolves.toEqual([]);
    await expect(
      db.suspend(d!, [openWait('w', 60_000)]), // sent again
    ).resolves.toEqual([parked]);
  });

  it('tells a stale from a current entry of one execution that ask for the same wait', async () => {
    const stale = await claimed();
    await db.settle([stale], { type: 'released' });
    const current = await db.claimOne(worker, task);
    await expect(
      db.executions.suspend(
        [
          { ...stale, records: [openWait('w', -1_000)] },
          { ...current, records: [openWait('w', 60_000)] },
        ],
        () => false,
      ),
    ).resolves.toEqual([lost, parked]);
    const at = await db.clock.now();
    await expect(db.run(current.id)).resolves.toMatchObject({ run_at: new Date(at + 60_000) });
  });

  it('is refused once the attempt is over, and stores nothing then', async () => {
    const fence = await claimed();
    await db.settle([fence], completed());
    await expect(db.suspend(fence, [record('late'), openWait('w', 60_000)])).resolves.toEqual([
      lost,
    ]);
    await expect(names(fence)).resolves.toEqual([]);
  });
});
