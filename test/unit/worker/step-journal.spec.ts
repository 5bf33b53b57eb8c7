import { systemClock } from '../../../lib/common/clock.js';
import { deferred, type Deferred } from '../../../lib/common/deferred.js';
import type { RecordWrite } from '../../../lib/execution/step-record.js';
import { StepJournal } from '../../../lib/worker/step-journal.js';

/** Waits beside a running body, which are stored by a write of their own. */
describe('a wait that the database refuses to store', () => {
  let now: number;
  let timers: { at: number; fire: () => void }[];
  let writes: (Deferred<void> & { records: RecordWrite[] })[];
  let journal: StepJournal;
  let body: Deferred<string>;
  let slow: Promise<string>;

  const clock = {
    ...systemClock,
    now: () => now,
    startTimer(delayMs: number, fire: () => void) {
      timers.push({ at: now + delayMs, fire });
      return undefined as never;
    },
    stopTimer: () => undefined,
  };

  /** All that follows from what has happened so far. */
  const settled = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
  const pass = async (ms: number) => {
    now += ms;
    const due = timers.filter(({ at }) => at <= now);
    timers = timers.filter(({ at }) => at > now);
    for (const { fire } of due) fire();
    await settled();
  };
  const written = (index: number) =>
    writes[index]?.records.map(({ name, status }) => `${name} ${status}`);
  const refuse = async (index: number) => {
    writes[index]!.reject(new Error('Refused.'));
    await settled();
  };
  const outcomeOf = async (call: Promise<unknown>) =>
    await Promise.race([
      call.then(
        (value) => `got ${String(value)}`,
        (error: Error) => error.message,
      ),
      settled().then(() => 'waits'),
    ]);

  beforeEach(() => {
    now = 5_000;
    timers = [];
    writes = [];
    body = deferred<string>();
    journal = new StepJournal(
      {
        id: 'id',
        token: 'token',
        task: { id: 1, name: 'task', queue: 'default' },
        failures: 0,
        losses: 0,
        claims: 1,
        alone: false,
        priority: 0,
        claimedAt: 0,
        payload: 'null',
        records: [],
      },
      {
        save(records) {
          const write = { ...deferred<void>(), records };
          writes.push(write);
          return write.promise;
        },
        suspend: () => Promise.reject(new Error('It does not rest while a body runs.')),
        transaction: () => undefined,
        stopping: () => false,
        outlivedLease: () => false,
        cancelled: () => undefined,
        interrupted: () => false,
        end: () => undefined,
        lateCall: () => undefined,
      },
      clock,
      now,
    );
    slow = journal.step('slow', () => body.promise);
  });

  it('is told so, is not over later, and leaves nothing to be stored', async () => {
    const nap = journal.sleep('nap', 100);
    await settled();
    expect(written(0)).toEqual(['nap open']);
    await refuse(0);
    expect(await outcomeOf(nap)).toBe('Refused.');
    await pass(200);
    body.resolve('done');
    await settled();
    expect(written(1)).toEqual(['slow completed']);
    writes[1]!.resolve();
    expect(await outcomeOf(slow)).toBe('got done');
    expect(await outcomeOf(journal.step('last', () => 'alone'))).toBe('waits');
    expect(writes[2]!.records).toMatchObject([{ name: 'last', alone: true }]);
  });

  it('is over all the same when its time came before the refusal', async () => {
    const nap = journal.sleep('nap', 100);
    await settled();
    await pass(200);
    await refuse(0);
    expect(await outcomeOf(nap)).toBe('got undefined');
    body.resolve('done');
    await settled();
    expect(written(1)).toEqual(['nap completed', 'slow completed']);
  });

  it('is not tried again, where it is a step between two tries', async () => {
    let tries = 0;
    const fails = () => {
      tries += 1;
      throw new Error('Failed.');
    };
    const retry = { maxAttempts: 3, backoff: { type: 'fixed', delay: 2_000 } } as const;
    const flaky = journal.step('flaky', fails, { retry });
    await settled();
    expect(written(0)).toEqual(['flaky open']);
    await refuse(0);
    expect(await outcomeOf(flaky)).toBe('Refused.');
    await pass(2_000);
    body.resolve('done');
    await settled();
    expect(tries).toBe(1);
    expect(written(1)).toEqual(['slow completed']);
  });
});
