import { statusCode } from '../../lib/execution/execution-status.js';
import {
  change,
  effect,
  execution,
  firstToken,
  firstWorker,
  secondToken,
  secondWorker,
  soundHistory,
} from './fabricated-history.js';
import { readArguments } from './harness/arguments.js';
import type { Change } from './harness/audit-trigger.js';
import type { History, OutcomeRow } from './harness/history.js';
import { examine, invariants } from './harness/invariants.js';
import { judge, type Trial } from './harness/judge.js';
import { recoveriesFrom } from './harness/recovery.js';
import { hazards } from './hazards.js';
import { runFp1 } from './hazards/fp1.js';
import { loadA, orderSteps } from './loads/load-a.js';
import { LEASE_MS } from './worker/settings.js';

type Violation = (history: History) => Partial<History>;

const outcome =
  (wrong: Partial<OutcomeRow>): Violation =>
  ({ outcomes }) => ({ outcomes: outcomes.map((row) => ({ ...row, ...wrong })) });

const altered =
  (seq: number, wrong: Partial<Change>): Violation =>
  ({ changes }) => ({
    changes: changes.map((row) => (row.seq === seq ? { ...row, ...wrong } : row)),
  });

const later =
  (more: Partial<Change> & Pick<Change, 'subject' | 'op' | 'statement'>): Violation =>
  ({ changes }) => ({ changes: [...changes, change({ seq: 10, ...more })] });

const alsoRan =
  (row: Parameters<typeof effect>[0]): Violation =>
  ({ ledger }) => ({ ledger: [...ledger, effect(row)] });

/** Each a history with one thing wrong, and the invariants that it violates. */
const violations: [what: string, violated: string[], violation: Violation][] = [
  [
    'an acknowledged execution has no outcome',
    ['lost'],
    ({ changes }) => ({ outcomes: [], changes: changes.filter(({ seq }) => seq < 9) }),
  ],
  ['it failed', ['lost'], outcome({ status: statusCode.failed, error: { code: 'WORKER_LOST' } })],
  [
    'it completed, and its process should have been lost for good',
    ['lost'],
    ({ load }) => ({ load: { ...load, failsWith: () => 'WORKER_LOST' } }),
  ],
  [
    'its result is not what its steps recorded',
    ['lost'],
    ({ outcomes }) => ({
      outcomes: outcomes.map((row) => ({
        ...row,
        result: { ...(row.result as object), confirmation: 'effect of nobody' },
      })),
    }),
  ],
  [
    'an outcome is changed',
    ['outcome changed'],
    later({ subject: 'outcome', op: 'update', statement: 'settle', token: secondToken }),
  ],
  [
    'an outcome is deleted',
    ['outcome changed'],
    later({ subject: 'outcome', op: 'delete', statement: 'settle', token: secondToken }),
  ],
  [
    'an execution that ended is put back',
    ['outcome changed'],
    later({ subject: 'run', op: 'insert', statement: 'enqueue', status: statusCode.pending }),
  ],
  [
    'an outcome appears past the audit',
    ['outcome changed'],
    ({ changes }) => ({ changes: changes.filter(({ subject }) => subject !== 'outcome') }),
  ],
  [
    'a record is written with the token of an earlier attempt',
    ['stale'],
    altered(7, { token: firstToken }),
  ],
  [
    'an outcome is written with the token of an earlier attempt',
    ['stale'],
    altered(9, { token: firstToken }),
  ],
  [
    'a record is written while nobody is authorised',
    ['stale'],
    later({
      subject: 'step',
      op: 'insert',
      statement: 'save_steps',
      token: secondToken,
      name: 'late',
    }),
  ],
  [
    'a pending execution is blocked',
    ['illegal transition'],
    ({ changes }) => ({
      changes: [
        changes[0]!,
        change({
          seq: 1.5,
          subject: 'run',
          op: 'update',
          statement: 'settle',
          status: statusCode.blocked,
          oldStatus: statusCode.pending,
        }),
        ...changes.slice(1),
      ],
    }),
  ],
  [
    'a body runs again in a later claim, though its step is recorded',
    ['doubled'],
    alsoRan({ step: orderSteps.reserve, claim: 2, effect: 'again', at: 5_500 }),
  ],
  [
    'a step is recorded whose body never ran',
    ['doubled'],
    ({ ledger }) => ({
      ledger: ledger.map((row) =>
        row.step === orderSteps.reserve ? { ...row, effect: 'other' } : row,
      ),
    }),
  ],
  [
    'an execution completes without an effect in the ledger',
    ['doubled', 'bodies out of bounds'],
    ({ ledger }) => ({ ledger: ledger.filter(({ step }) => step !== orderSteps.reserve) }),
  ],
  [
    'a body runs twice in one claim',
    ['bodies out of bounds'],
    alsoRan({ step: orderSteps.reserve, claim: 1, effect: 'again', at: 2_600 }),
  ],
  [
    'a transactional step commits twice',
    ['transactional effects'],
    ({ committed }) => ({ committed: [...committed, ...committed] }),
  ],
  [
    'a transactional step of an outdated attempt commits',
    ['transactional effects'],
    ({ committed }) => ({
      committed: [
        { ...committed[0]!, execution: firstToken, effect: 'of an outdated attempt' },
        ...committed,
      ],
    }),
  ],
  [
    'a transactional step is recorded without what it wrote',
    ['transactional effects'],
    () => ({ committed: [] }),
  ],
  ['a failure is charged that never was', ['wrong charge'], outcome({ failures: 1 })],
  ['a loss is not charged', ['wrong charge'], outcome({ losses: 0 })],
  ['a loss is charged that never was', ['wrong charge'], outcome({ losses: 2 })],
  [
    'a loss is charged although the worker had said that it was stopping',
    ['wrong charge'],
    () => ({ announcedStops: [firstWorker.id] }),
  ],
  ['a claim is not counted', ['wrong charge', 'bodies out of bounds'], outcome({ claims: 1 })],
  ['a worker that nobody hit loses its lease', ['live worker reaped'], () => ({ hitWorkers: [] })],
  [
    'an execution is left running',
    ['left behind'],
    ({ rest }) => ({
      rest: {
        ...rest,
        runs: [{ execution, status: statusCode.running, workerId: firstWorker.id }],
      },
    }),
  ],
  [
    'a dead worker stays registered',
    ['left behind'],
    ({ rest }) => ({ rest: { ...rest, workers: [...rest.workers, firstWorker] } }),
  ],
  ['Postgres had to break a deadlock', ['deadlocks'], () => ({ deadlocks: 1 })],
  [
    'a process ends by itself',
    ['processes'],
    ({ ends }) => ({ ends: ends.map((end) => ({ ...end, expected: false })) }),
  ],
  ['a rejection is left to Node', ['processes'], () => ({ rejections: ['pid 1: Error'] })],
];

describe('the invariants of the hazard suite', () => {
  const violatedBy = (history: History) =>
    [...examine(history)].filter(([, found]) => found.length > 0).map(([name]) => name);

  it('find nothing in a history in which a worker was killed and all went well', () => {
    expect(violatedBy(soundHistory())).toEqual([]);
  });

  it.each(violations)('find that %s', (_, violated, violation) => {
    const history = soundHistory();
    expect(violatedBy({ ...history, ...violation(history) }).toSorted()).toEqual(
      violated.toSorted(),
    );
  });

  it('are each shown to fail', () => {
    const shown = new Set(violations.flatMap(([, violated]) => violated));
    expect(invariants.map(({ name }) => name).filter((name) => !shown.has(name))).toEqual([]);
  });
});

describe('the judge of a hazard', () => {
  // recovered at 4,000 by the fabricated history's clock
  const kill = (beatAt: number) => ({
    pid: firstWorker.pid,
    at: beatAt + 100,
    workers: [{ id: firstWorker.id, beatAt }],
    owned: [execution],
  });

  function trial(faults = [kill(4_000 - LEASE_MS)]): Trial {
    const history = soundHistory();
    return {
      id: 'FP0',
      seed: 1,
      tier: 'scaled',
      load: 'one execution',
      history,
      faults,
      expectedFaults: faults.length,
      recoveries: recoveriesFrom(faults, history),
      problems: [],
      log: () => undefined,
    };
  }

  it('finds a hazard met, and counts recovery from the last heartbeat of the dead worker', () => {
    expect(judge(trial())).toEqual({
      id: 'FP0',
      seed: 1,
      load: 'one execution',
      lost: 0,
      doubled: 0,
      stale: 0,
      deadlocks: 0,
      faultsInjected: 1,
      faultsUnderLoad: 1,
      recoveryP99Ms: LEASE_MS,
      recoveryMaxMs: LEASE_MS,
      measured: {},
      met: true,
      problems: [],
      told: [],
    });
  });

  it('finds it not met when recovery takes longer than a lease and a second', () => {
    const figures = judge(trial([kill(4_000 - LEASE_MS - 1_001)]));
    expect(figures).toMatchObject({ met: false, recoveryP99Ms: LEASE_MS + 1_001 });
    expect(figures.problems).toEqual([expect.stringContaining('recovery p99')]);
  });

  it('judges no recovery for which nobody was there: a newcomer has to see for a lease that the database answers', () => {
    const alone = trial([kill(500)]);
    const only = (at: number) => ({
      ...alone,
      recoveries: recoveriesFrom([kill(500)], {
        ...alone.history,
        registrations: [
          { id: firstWorker.id, at: 0, steadySince: 0 },
          { id: secondWorker.id, at, steadySince: at },
        ],
      }),
    });
    expect(judge(only(500 + LEASE_MS / 2 + 1))).toMatchObject({
      met: true,
      recoveryMaxMs: null,
      measured: { 'recovered where no other worker served': 1, 'of these max ms': 3_500 },
    });
    expect(judge(only(500 + LEASE_MS / 2))).toMatchObject({ met: false, recoveryMaxMs: 3_500 });
  });

  it('tells in the fast tier what the machine’s speed decides, and judges the invariants', () => {
    const slow = { ...trial([kill(4_000 - LEASE_MS - 1_001)]), tier: 'fast' as const };
    const figures = judge(slow);
    expect(figures).toMatchObject({ met: true, problems: [] });
    expect(figures.told).toEqual([expect.stringContaining('recovery p99')]);
    expect(judge({ ...slow, history: { ...slow.history, outcomes: [] } })).toMatchObject({
      met: false,
      lost: 1,
    });
    const reaped = { ...slow.history, hitWorkers: [] };
    expect(judge({ ...slow, history: reaped })).toMatchObject({ met: false });
    expect(judge({ ...slow, history: { ...reaped, heldUpMs: LEASE_MS } })).toMatchObject({
      met: true,
    });
  });

  it('does not count a run whose faults hit idle processes', () => {
    const idle = { ...kill(0), workers: [], owned: [] };
    expect(judge(trial([kill(2_000), idle]))).toMatchObject({ met: false, faultsUnderLoad: 1 });
  });

  it('finds it not met when an invariant is violated, and says by what', () => {
    const fine = trial();
    const figures = judge({ ...fine, history: { ...fine.history, outcomes: [] } });
    expect(figures).toMatchObject({ met: false, lost: 1 });
    expect(figures.problems[0]).toContain(execution);
  });
});

describe('the command line of the hazard suite', () => {
  it('takes hazards by their ids, and lists those there are when it does not know one', () => {
    expect(readArguments(['--only', 'fp1,fc3', '--seed', '7', '--full'], hazards)).toMatchObject({
      chosen: [{ id: 'FP1' }, { id: 'FC3' }],
      seed: 7,
      tier: 'full',
    });
    expect(readArguments([], hazards)).toMatchObject({ chosen: hazards, tier: 'scaled' });
    expect(() => readArguments(['--only', 'FP1,FX9'], hazards)).toThrow(/FX9[^]*FP1/);
    expect(() => readArguments(['--seed', 'x'], hazards)).toThrow('--seed');
  });
});

describe('FP1 in small', () => {
  it('loses nothing, repeats nothing and leaves nothing behind when one of two workers is killed', async () => {
    const said: string[] = [];
    const figures = await runFp1(
      {
        load: loadA,
        executions: 60,
        spanMs: 3_000,
        workers: 2,
        spares: 0,
        concurrency: 4,
        fsync: false,
        kills: { count: 1, pauseMs: [1_000, 1_500] },
      },
      { seed: 1, tier: 'fast', log: (line) => said.push(line) },
    );
    // how fast it recovers is for the whole FP1 to say, which has the machine to itself
    const { problems, ...rest } = figures;
    expect(problems.filter((problem) => !problem.startsWith('recovery '))).toEqual([]);
    expect(rest).toMatchObject({ lost: 0, doubled: 0, stale: 0, deadlocks: 0, faultsUnderLoad: 1 });
    expect(rest.recoveryMaxMs).toBeGreaterThanOrEqual(LEASE_MS);
  }, 120_000);
});
