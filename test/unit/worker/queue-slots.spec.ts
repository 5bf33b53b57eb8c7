import { systemClock } from '../../../lib/common/clock.js';
import { Attempt } from '../../../lib/worker/attempt.js';
import { AHEAD_PATIENCE_MS, QueueSlots } from '../../../lib/worker/queue-slots.js';

describe('the slots of a queue', () => {
  let now = 0;
  let slots: QueueSlots;

  const clock = { ...systemClock, now: () => now };

  const attempt = (id: string, { priority = 0, losses = 0 } = {}) =>
    new Attempt(
      {
        id,
        token: 'token',
        task: { id: 1, name: 'task', queue: 'default' },
        failures: 0,
        losses,
        claims: 1,
        alone: false,
        priority,
        claimedAt: 0,
        payload: 'null',
        records: [],
      },
      now,
    );
  const attempts = (count: number, prefix = '') =>
    Array.from({ length: count }, (_, index) => attempt(`${prefix}${index}`));
  const ids = (list: (Attempt | undefined)[]) => list.map((one) => one?.execution.id);

  /** Runs handlers one after the other until their mean is known. */
  const run = (tookMs: number, times: number) => {
    for (let n = 0; n < times; n += 1) {
      slots.add([attempt('measured')]);
      slots.begin();
      slots.end(tookMs);
    }
  };

  beforeEach(() => {
    now = 1_000;
    slots = new QueueSlots(
      { queueId: 1, name: 'default', concurrency: 10, tasks: new Map() },
      clock,
    );
  });

  it('asks for what it can begin at once as long as it does not know how long handlers take', () => {
    expect(slots.wanted).toBe(10);
  });

  it('asks for as many more as begin within 50 ms by the time that handlers take, 1,000 at most', () => {
    run(5, 1);
    expect(slots.wanted).toBe(10 + 100);
    run(0.001, 200);
    expect(slots.wanted).toBe(10 + 1_000);
  });

  it('asks for none ahead where handlers take long', () => {
    run(600, 1);
    expect(slots.wanted).toBe(10);
  });

  it('goes by what handlers have taken lately', () => {
    run(5, 1);
    run(600, 100);
    expect(slots.wanted).toBe(10);
    run(5, 100);
    expect(slots.wanted).toBeGreaterThan(90);
  });

  it('begins no more than there are slots, in the order of the claim', () => {
    slots.add(attempts(12));
    const begun = Array.from({ length: 12 }, () => slots.begin());
    expect(ids(begun)).toEqual([
      '0',
      '1',
      '2',
      '3',
      '4',
      '5',
      '6',
      '7',
      '8',
      '9',
      undefined,
      undefined,
    ]);
    expect(slots.running).toBe(10);
    slots.end(1);
    expect(slots.begin()?.execution.id).toBe('10');
    expect(slots.begin()).toBeUndefined();
  });

  it('asks again once half of what may be ahead has begun', () => {
    run(5, 1); // 100 ahead
    slots.add(attempts(110));
    for (let n = 0; n < 10; n += 1) slots.begin();
    expect(slots.wanted).toBe(0);
    for (let n = 0; n < 49; n += 1) {
      slots.end(5);
      slots.begin();
    }
    expect(slots.wanted).toBe(0); // 51 are left
    slots.end(5);
    slots.begin();
    expect(slots.wanted).toBe(50);
  });

  it('lets a later claim of a higher priority begin before what is ahead, and one of the same after it', () => {
    slots.add(attempts(12, 'first-'));
    for (let n = 0; n < 10; n += 1) slots.begin();
    slots.add([attempt('urgent', { priority: 5 }), attempt('same')]);
    const begun = Array.from({ length: 4 }, () => {
      slots.end(1);
      return slots.begin();
    });
    expect(ids(begun)).toEqual(['urgent', 'first-10', 'first-11', 'same']);
  });

  it('gives back what was lost before, unless it begins at once, and claims nothing ahead until a claim brings none', () => {
    run(5, 1);
    const came = Array.from({ length: 14 }, (_, n) => attempt(`${n}`, { losses: n < 12 ? 1 : 0 }));
    expect(ids(slots.add(came))).toEqual(['10', '11']);
    for (let n = 0; n < 10; n += 1) slots.begin();
    for (let n = 0; n < 4; n += 1) {
      slots.end(5);
      slots.begin();
    }
    expect(slots.wanted).toBe(2);
    slots.add(attempts(1));
    expect(slots.wanted).toBeGreaterThan(50);
  });

  it('says how long what is ahead may still wait, and then takes it back and no longer believes that handlers are fast', () => {
    run(5, 1);
    expect(slots.patienceMs(now)).toBeUndefined();
    slots.add(attempts(12));
    for (let n = 0; n < 10; n += 1) slots.begin();
    now += 40;
    expect(slots.patienceMs(now)).toBe(AHEAD_PATIENCE_MS - 40);
    slots.slowDown();
    expect(ids(slots.takeBack())).toEqual(expect.arrayContaining(['10', '11']));
    expect(slots.patienceMs(now)).toBeUndefined();
    slots.end(5);
    expect(slots.wanted).toBeLessThan(5);
  });

  it('asks for nothing ahead once what was ahead went back, whatever its concurrency: it would go back again', () => {
    run(5, 1);
    slots.add(attempts(12));
    for (let n = 0; n < 10; n += 1) slots.begin();
    slots.slowDown();
    slots.takeBack();
    expect(slots.wanted).toBe(0);
  });

  it('looks at everything again once something went back, which stands before the place that claims came to', () => {
    slots.cameTo('place', undefined);
    slots.add(attempts(12));
    slots.takeBack();
    expect(slots.cursor).toBeUndefined();
  });

  it('goes on from where the last claim came to, for a second at most since one looked at everything', () => {
    expect(slots.cursor).toBeUndefined();
    slots.cameTo('first', undefined);
    now += 999;
    expect(slots.cursor).toBe('first');
    slots.cameTo('second', 'first');
    expect(slots.cursor).toBe('second');
    now += 1;
    expect(slots.cursor).toBeUndefined();
    slots.cameTo('third', undefined);
    expect(slots.cursor).toBe('third');
    slots.cameTo(undefined, 'third');
    expect(slots.cursor).toBeUndefined();
  });
});
