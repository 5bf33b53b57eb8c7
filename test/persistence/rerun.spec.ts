import { randomUUID } from 'node:crypto';
import type { RecordWrite } from '../../lib/execution/step-record.js';
import { PAYLOAD_RECORD } from '../../lib/execution/step-record.js';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import { inForeignTransaction, somebodyWaits } from '../support/foreign-session.js';
import { freezeClock } from '../support/frozen-clock.js';
import { completed, failure, openWait, record, Statements } from '../support/persistence.js';

const PATIENCE_MS = 5_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

describe('rerun', () => {
  let db: Statements;
  let worker: number;
  let task: TaskIds;

  beforeEach(async () => {
    db = await Statements.open();
    await freezeClock(db);
    worker = await db.worker();
    task = await db.task(randomUUID());
  });

  afterEach(() => db.close());

  const failed = { type: 'failed', error: failure } as const;

  /** An execution that has ended with these records. */
  async function ended(
    records: RecordWrite[],
    outcome: typeof failed | ReturnType<typeof completed> = failed,
  ) {
    const [id] = await db.enqueue(task, 1, { priority: 7 });
    const fence = await db.claimOne(worker, task);
    await db.save(fence, records);
    await db.settle([fence], outcome);
    return id!;
  }
  const rerun = (
    sourceId: string,
    how: { fromStep?: string; once?: boolean } = {},
    id: string = randomUUID(),
  ) => db.reruns.rerun([{ id, sourceId }], how, PATIENCE_MS);
  async function made(sourceId: string, how: { fromStep?: string; once?: boolean } = {}) {
    const id = randomUUID();
    await expect(rerun(sourceId, how, id)).resolves.toMatchObject([{ type: 'created' }]);
    return id;
  }
  const memo = (id: string) =>
    db.test.query<{ name: string; seq: number; optional: boolean; status: number }>(
      `select name, seq, optional, status from conductor.step where execution_id = $1 order by seq, name`,
      [id],
    );
  const names = async (id: string) => (await memo(id)).map(({ name }) => name);
  const dueIn = async (id: string, name: string) => {
    const [row] = await db.test.query<{ ms: number }>(
      `select extract(epoch from due_at - conductor.clock())::float * 1000 as ms
       from conductor.step where execution_id = $1 and name = $2`,
      [id, name],
    );
    return row!.ms;
  };
  const sleep = (name: string, rest: Partial<RecordWrite>) =>
    record(name, { kind: 'sleep', value: undefined, ...rest });

  it('a retry takes the payload, the priority and all that a failed attempt would have kept, and counts anew', async () => {
    const id = await ended([
      record(PAYLOAD_RECORD, { kind: 'payload', seq: undefined, value: '"parsed"' }),
      record('a', { seq: 1, fingerprint: '42', alone: false }),
      sleep('pause', { seq: 2 }),
      record('bad', { seq: 3, status: 'failed', value: '{"name":"Error","message":"no"}' }),
      record('b', { seq: 4 }),
      record('again', { seq: undefined, status: 'open', tries: 2, value: undefined, dueInMs: 5 }),
    ]);
    const retry = await made(id);
    await expect(memo(retry)).resolves.toEqual([
      { name: 'a', seq: 1, optional: false, status: 1 },
      { name: 'pause', seq: 2, optional: false, status: 1 },
      { name: 'b', seq: 4, optional: true, status: 1 },
      { name: PAYLOAD_RECORD, seq: null, optional: false, status: 1 },
    ]);
    const { executions } = await db.claim(worker, [task]);
    expect(executions).toMatchObject([
      { id: retry, payload: '0', priority: 7, failures: 0, losses: 0, claims: 2 },
    ]);
    expect(executions[0]!.records).toHaveLength(4);
    expect(executions[0]!.records.find(({ name }) => name === 'a')).toMatchObject({
      fingerprint: '42',
      alone: false,
    });
    await expect(db.outcome(id)).resolves.toMatchObject({ status: 5 });
  });

  it('a retry of what somebody cancelled, or whose deadline came, forgets step errors that no settle has forgotten', async () => {
    const id = await ended([
      record('a', { seq: 1 }),
      record('bad', { seq: 2, status: 'failed', value: '{"name":"Error","message":"no"}' }),
      record('b', { seq: 3 }),
    ]);
    await db.test.query(`update conductor.outcome set status = 6, error = null where id = $1`, [
      id,
    ]);
    await expect(memo(await made(id))).resolves.toMatchObject([
      { name: 'a', optional: false },
      { name: 'b', optional: true },
    ]);
    await expect(names(await made(id, { fromStep: 'b' }))).resolves.toEqual(['a', 'bad']);
  });

  it('a sleep that was not over has as long to go as at the end, an instant stays where it is', async () => {
    const id = await ended([
      openWait('pause', 2 * HOUR_MS),
      { ...openWait('until', 2 * HOUR_MS), fingerprint: '1' },
    ]);
    await db.clock.advance(DAY_MS);
    const retry = await made(id);
    await expect(dueIn(retry, 'pause')).resolves.toBe(2 * HOUR_MS);
    await expect(dueIn(retry, 'until')).resolves.toBe(2 * HOUR_MS - DAY_MS);
    await expect(names(await made(id, { fromStep: 'until' }))).resolves.toEqual([]);
  });

  it('relative limits of the task count from the retry', async () => {
    await db.test.query('update conductor.task set deadline_ms = 60000, expire_after_ms = 30000');
    const id = await ended([record('a')]);
    await db.clock.advance(DAY_MS);
    const row = await db.run(await made(id));
    const now = await db.clock.now();
    expect((row!['deadline_at'] as Date).getTime()).toBe(now + 60_000);
    expect((row!['expires_at'] as Date).getTime()).toBe(now + 30_000);
  });

  it('a fork takes what was seen before its step, by the order of the record', async () => {
    const id = await ended(
      [
        record('a', { seq: 1 }),
        record('right', { seq: 2 }),
        record('left', { seq: 3 }),
        record('c', { seq: 4 }),
      ],
      completed(),
    );
    await expect(names(await made(id, { fromStep: 'left' }))).resolves.toEqual(['a', 'right']);
    await expect(names(await made(id, { fromStep: 'a' }))).resolves.toEqual([]);
    await expect(rerun(id, { fromStep: 'd' })).resolves.toMatchObject([
      { type: 'noStep', recorded: ['a', 'right', 'left', 'c'] },
    ]);
  });

  it('sent again, it makes nothing more, also when the old one has been pruned since', async () => {
    const [id, other] = [await ended([record('a')]), await ended([record('a')])];
    const [retry, fork] = [randomUUID(), randomUUID()];
    await rerun(id, {}, retry);
    await rerun(id, { fromStep: 'a' }, fork);
    await expect(rerun(id, {}, retry)).resolves.toMatchObject([{ type: 'existing' }]);
    await expect(rerun(id, { fromStep: 'a' }, fork)).resolves.toMatchObject([{ type: 'existing' }]);
    for (const [source, fromStep, taken] of [
      [id, undefined, fork],
      [id, 'a', retry],
      [other, undefined, retry],
      [other, undefined, id],
    ] as const)
      await expect(rerun(source, { fromStep }, taken)).resolves.toMatchObject([{ type: 'taken' }]);
    await db.test.query('update conductor.task set keep_failed_ms = 0');
    await db.clock.advance(DAY_MS);
    await db.retention.prune();
    await expect(rerun(id, {}, retry)).resolves.toMatchObject([{ type: 'existing' }]);
    await expect(rerun(id)).resolves.toMatchObject([{ type: 'unknown' }]);
  });

  it('twenty that are sent at once with one id make one', async () => {
    const id = await ended([record('a')]);
    const retry = randomUUID();
    const reports = await Promise.all(Array.from({ length: 20 }, () => rerun(id, {}, retry)));
    expect(reports.flat().filter(({ type }) => type === 'created')).toHaveLength(1);
    expect(reports.flat().filter(({ type }) => type === 'existing')).toHaveLength(19);
    await expect(db.test.query('select id from conductor.rerun')).resolves.toHaveLength(1);
  });

  it('an id that somebody takes while it is being used is found to be taken, and nothing is left of the retry', async () => {
    const id = await ended([record('a')]);
    const taken = randomUUID();
    await inForeignTransaction(db, async (foreign) => {
      await foreign.query(
        `insert into conductor.execution (id, task_id, priority, created_at, payload) values ($1, $2, 0, now(), '1')`,
        [taken, task.taskId],
      );
      const report = rerun(id, {}, taken);
      await somebodyWaits(db);
      await foreign.commit();
      await expect(report).resolves.toMatchObject([{ type: 'taken' }]);
    });
    await expect(db.test.query('select from conductor.rerun')).resolves.toEqual([]);
  });

  it('of one that was retried or forked before nothing is made once more, whoever asks at once', async () => {
    const ids = [await ended([record('a')]), await ended([record('a')])];
    await made(ids[0]!, { fromStep: 'a' });
    await expect(rerun(ids[0]!, { once: true })).resolves.toMatchObject([{ type: 'rerunBefore' }]);
    await inForeignTransaction(db, async (foreign) => {
      await foreign.query(
        `insert into conductor.rerun (id, made_at, source_id, once) values (gen_random_uuid(), now(), $1, true)`,
        [ids[1]],
      );
      const report = rerun(ids[1]!, { once: true }); // cannot see the other one yet
      await somebodyWaits(db);
      await foreign.commit();
      await expect(report).resolves.toMatchObject([{ type: 'rerunBefore' }]);
    });
    await expect(
      db.test.query('select from conductor.execution where id <> all($1)', [ids]),
    ).resolves.toHaveLength(1);
  });

  it('what has not ended, has completed, was stripped or never was is refused, each for its reason', async () => {
    const [pending] = await db.enqueue(task);
    await expect(rerun(pending!)).resolves.toMatchObject([{ type: 'live', status: 'pending' }]);
    await expect(rerun(pending!, { fromStep: 'a' })).resolves.toMatchObject([{ type: 'live' }]);
    await expect(rerun(randomUUID())).resolves.toMatchObject([{ type: 'unknown' }]);
    await db.test.query('delete from conductor.run');
    const done = await ended([record('a')], completed());
    await expect(rerun(done)).resolves.toMatchObject([{ type: 'completed' }]);
    await db.test.query('update conductor.task set keep_completed_ms = 0');
    await db.clock.advance(10_000);
    await db.retention.prune();
    await expect(rerun(done, { fromStep: 'a' })).resolves.toMatchObject([{ type: 'expired' }]);
    await expect(db.test.query('select from conductor.rerun')).resolves.toEqual([]);
  });

  it('never takes a memo of which retention has removed a part', async () => {
    const records = Array.from({ length: 5 }, (_, n) => record(`s${n}`, { seq: n + 1 }));
    const ids = [await ended(records), await ended(records)];
    await db.test.query('update conductor.task set keep_failed_ms = 3600000');
    await db.clock.advance(DAY_MS);
    await db.retention.prune(undefined, 10, 3); // fewer than one has
    await db.test.query('update conductor.task set keep_failed_ms = null'); // a deploy that keeps them
    const types = (await Promise.all(ids.map((id) => rerun(id)))).flat().map(({ type }) => type);
    expect(types.toSorted()).toEqual(['created', 'expired']);
    await expect(
      db.test.query(
        `select count(*)::int as steps from conductor.rerun c join conductor.step s on s.execution_id = c.id`,
      ),
    ).resolves.toEqual([{ steps: 5 }]);
  });

  it('what was retried is known for as long as it is there, though its retry is pruned before it', async () => {
    const id = await ended([record('a')]);
    const retry = await made(id, { once: true });
    await db.settle([await db.claimOne(worker, task)], completed());
    await db.test.query('update conductor.task set keep_completed_ms = 0');
    await db.clock.advance(HOUR_MS);
    await db.retention.prune();
    await expect(db.outcome(retry)).resolves.toBeUndefined();
    const filter = { statuses: ['failed' as const] };
    await expect(db.reruns.retryable(filter, undefined, 10, PATIENCE_MS)).resolves.toEqual([]);
    await db.test.query('update conductor.task set keep_failed_ms = 0');
    await db.retention.prune();
    await expect(db.test.query('select from conductor.rerun')).resolves.toEqual([]);
  });

  it('finds what can be retried from the index of what is kept, in the order of its end, and nothing that ends later', async () => {
    const ids: string[] = [];
    for (let i = 0; i < 4; i += 1) {
      ids.push(await ended([record('a')]));
      await db.clock.advance(1_000);
    }
    const filter = { statuses: ['failed' as const, 'cancelled' as const] };
    const first = await db.reruns.retryable(filter, undefined, 2, PATIENCE_MS);
    expect(first.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    for (const { id } of first) await made(id, { once: true });
    await db.clock.advance(1_000);
    await ended([]);
    const rest = await db.reruns.retryable(filter, first.at(-1), 10, PATIENCE_MS);
    expect(rest.map(({ id }) => id)).toEqual(ids.slice(2));
  });
});
