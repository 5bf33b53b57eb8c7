import { jest } from '@jest/globals';
import { v7 as orderedUuid } from 'uuid';
import { Enqueuer } from '../../lib/client/enqueuer.js';
import { systemClock } from '../../lib/common/clock.js';
import { MAX_VALUE_BYTES } from '../../lib/execution/codec.js';
import { statusCode } from '../../lib/execution/execution-status.js';
import type { SettledOutcome } from '../../lib/execution/outcome.js';
import { MAX_ERROR_BYTES } from '../../lib/execution/serialized-error.js';
import { MAX_SEQ } from '../../lib/execution/step-record.js';
import { Notifier } from '../../lib/persistence/notifier.js';
import type { TaskIds } from '../../lib/persistence/repositories/task.repository.js';
import type { Fence } from '../../lib/persistence/repositories/worker.repository.js';
import { Attempt } from '../../lib/worker/attempt.js';
import { RecordWriter } from '../../lib/worker/record-writer.js';
import { Settler } from '../../lib/worker/settler.js';
import { WorkerLog } from '../../lib/worker/worker-log.js';
import { completed, openWait, record, Statements } from '../support/persistence.js';

/** JSON of exactly so many bytes. */
const json = (bytes: number) => JSON.stringify('x'.repeat(bytes - 2));
const errorOf = (bytes: number) => {
  const empty = { name: 'Error', message: '' };
  return { ...empty, message: 'x'.repeat(bytes - JSON.stringify(empty).length) };
};

const NO_JSON = 'no JSON';
const LARGEST = json(MAX_VALUE_BYTES);
const TOO_LARGE = json(MAX_VALUE_BYTES + 1);

/** The one that Postgres has to refuse stands among so many others. */
const COUNT = 20;
const BAD = 13;

describe('what Postgres refuses', () => {
  let db: Statements;
  let task: TaskIds;
  let worker: number;
  let writer: RecordWriter;

  beforeAll(async () => {
    db = await Statements.open();
    task = await db.task('t');
    worker = await db.worker();
    writer = new RecordWriter(
      db.executions,
      db.steps,
      systemClock,
      (error) => db.database.visible(error, 'work') as Error,
    );
  });
  afterEach(() =>
    db.test.query(
      'truncate conductor.execution, conductor.run, conductor.outcome, conductor.step, conductor.failure',
    ),
  );
  afterAll(() => db.close());

  async function claimed(count = COUNT): Promise<Fence[]> {
    await db.enqueue(task, count);
    const { executions } = await db.claim(worker, [task]);
    return executions.map(({ id, token }) => ({ id, token }));
  }

  /** Sends all in one burst, and gives the error of each that failed, by its place. */
  async function failures(writes: Promise<unknown>[]): Promise<Map<number, unknown>> {
    const results = await Promise.allSettled(writes);
    return new Map(
      results.flatMap((result, at) =>
        result.status === 'rejected' ? [[at, result.reason] as const] : [],
      ),
    );
  }

  const count = async (table: string) => {
    const [row] = await db.test.query<{ n: number }>(
      `select count(*)::int as n from conductor.${table}`,
    );
    return row!.n;
  };

  it.each([
    ['no JSON', { value: NO_JSON }, '22P02'],
    ['a result of more than 1 MB', { value: TOO_LARGE }, '23514'],
    [
      'an error of more than 16 KB',
      { status: 'failed', value: JSON.stringify(errorOf(MAX_ERROR_BYTES + 1)) },
      '23514',
    ],
    ['a record past the last place', { seq: MAX_SEQ + 1 }, '23514'],
    ['a NUL', { name: 'a\u0000' }, '22021'],
  ] as const)(
    'of a step fails that one alone, its batch is stored: %s',
    async (_, bad, sqlState) => {
      const fences = await claimed();
      const save = jest.spyOn(db.steps, 'save');
      const failed = await failures(
        fences.map((fence, at) =>
          writer.save({ ...fence, records: [record('a', at === BAD ? bad : {})] }),
        ),
      );
      expect(save.mock.calls[0]![0]).toHaveLength(COUNT); // they did go together
      expect([...failed.keys()]).toEqual([BAD]);
      expect(failed.get(BAD)).toMatchObject({ code: 'CONDUCTOR_DATABASE', sqlState });
      await expect(count('step')).resolves.toBe(COUNT - 1);
    },
  );

  /** Settles all in one burst, until nothing of them is left in this process. */
  async function settleAll(fences: Fence[], outcomes: SettledOutcome[]): Promise<void> {
    let left = fences.length;
    await new Promise<void>((resolve) => {
      const settler = new Settler(db.executions, new WorkerLog(db.database), systemClock, {
        finished: () => (left -= 1) === 0 && resolve(),
        retryIn: () => undefined,
      });
      for (const [at, fence] of fences.entries()) settler.settle(attemptOf(fence), outcomes[at]!);
    });
  }

  const attemptOf = (fence: Fence) =>
    new Attempt(
      {
        ...fence,
        task: { id: task.taskId, name: 't', queue: 'default' },
        failures: 0,
        losses: 0,
        claims: 1,
        alone: false,
        priority: 0,
        claimedAt: 0,
        payload: 'null',
        records: [],
      },
      0,
    );

  it.each([
    ['no JSON', { type: 'completed', result: NO_JSON }, '22P02'],
    ['a result of more than 1 MB', { type: 'completed', result: TOO_LARGE }, '23514'],
    [
      'an error of more than 16 KB, to be tried again',
      { type: 'retry', error: errorOf(MAX_ERROR_BYTES + 1), delayMs: 1 },
      '23514',
    ],
  ] as const)(
    'of an outcome is the failure of that one alone, its batch is settled: %s',
    async (_, outcome, sqlState) => {
      const fences = await claimed();
      const settle = jest.spyOn(db.executions, 'settle');
      await settleAll(
        fences,
        fences.map((__, at) => (at === BAD ? outcome : completed())),
      );
      expect(settle.mock.calls[0]![0]).toHaveLength(COUNT);
      const failed = await db.test.query(
        'select id, error from conductor.outcome where status = $1',
        [statusCode.failed],
      );
      expect(failed).toEqual([
        {
          id: fences[BAD]!.id,
          error: expect.objectContaining({ message: expect.stringContaining(sqlState) }),
        },
      ]);
      await expect(count('outcome')).resolves.toBe(COUNT);
    },
  );

  it('of a failure stays with that one alone, its batch is settled', async () => {
    const fences = await claimed();
    const outcome = { type: 'failed', error: errorOf(MAX_ERROR_BYTES + 1) } as const;
    await settleAll(
      fences,
      fences.map((_, at) => (at === BAD ? outcome : completed())),
    );
    await expect(count('outcome')).resolves.toBe(COUNT - 1);
    await expect(db.run(fences[BAD]!.id)).resolves.toMatchObject({ token: fences[BAD]!.token });
  });

  it('of a suspension fails that one alone, its batch is parked', async () => {
    const fences = await claimed();
    const replies = await Promise.all(
      fences.map((fence, at) =>
        writer.suspend({ ...fence, records: [openWait('w', at === BAD ? 1e300 : 60_000)] }),
      ),
    );
    const parked = replies.map(() => 'parked').with(BAD, 'refused');
    expect(replies.map(({ type }) => type)).toEqual(parked);
    await expect(count('run where status = 2')).resolves.toBe(COUNT - 1);
  });

  it.each([
    ['no JSON', NO_JSON, '22P02'],
    ['more than 1 MB', TOO_LARGE, '23514'],
  ])(
    'of an invoke fails that one alone, those that came with it are accepted: %s',
    async (_, payload, sqlState) => {
      const enqueuer = new Enqueuer(
        db.database,
        db.newExecutions,
        db.tasks,
        new Notifier(db.database, systemClock),
        systemClock,
      );
      const enqueue = jest.spyOn(db.newExecutions, 'enqueue');
      const failed = await failures(
        Array.from({ length: COUNT }, (__, at) =>
          enqueuer.one({
            task: { queue: 'default', name: 't' },
            execution: { id: orderedUuid(), fresh: true, payload: at === BAD ? payload : '1' },
          }),
        ),
      );
      expect(enqueue.mock.calls[0]![0]).toHaveLength(COUNT);
      expect([...failed.keys()]).toEqual([BAD]);
      expect(failed.get(BAD)).toMatchObject({ code: 'CONDUCTOR_DATABASE', sqlState });
      await expect(count('execution')).resolves.toBe(COUNT - 1);
      await expect(count('run')).resolves.toBe(COUNT - 1);
    },
  );

  it('is not what just fits: 1 MB of a payload, a step’s result and a result, 16 KB of an error, a 10,000th record', async () => {
    await db.newExecutions.enqueue(
      [{ id: orderedUuid(), taskId: task.taskId, payload: LARGEST }],
      [],
      0,
    );
    const [first, second] = await claimed(1);
    const error = errorOf(MAX_ERROR_BYTES);
    await expect(
      db.save(first!, [
        record('large', { seq: MAX_SEQ, value: LARGEST }),
        record('failed', { status: 'failed', value: JSON.stringify(error) }),
      ]),
    ).resolves.toEqual(['applied']);
    await expect(db.settle([first!], { type: 'completed', result: LARGEST })).resolves.toEqual([
      'applied',
    ]);
    await expect(db.settle([second!], { type: 'failed', error })).resolves.toEqual(['applied']);
  });
});
