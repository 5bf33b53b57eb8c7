import { judge } from '../../../bench/goals.js';
import { ratio, type Row } from '../../../bench/harness/row.js';

const row = (subject: string, rounds: (number | null)[], more: Partial<Row> = {}): Row => ({
  scenario: 'drain-20k',
  subject,
  unit: 'jobs/s',
  better: 'higher',
  rounds,
  facts: {},
  ...more,
});

const goalsOf = (scenario: string, ...rows: Row[]) => judge(new Map([[scenario, rows]]));
const byGraphileWorker = (rounds: number[]) =>
  goalsOf(
    'drain-20k',
    row('nest-conductor', rounds),
    row(
      'graphile-worker',
      rounds.map(() => 100),
    ),
  ).find(({ what }) => what.endsWith('graphile-worker'))!;

describe('ratio', () => {
  it('is the median of the ratios of the rounds that both have', () => {
    expect(ratio(row('a', [10, 200, 30]), row('b', [10, 100, 10]))).toBe(2);
    expect(ratio(row('a', [10, null, 30]), row('b', [5, 1, null]))).toBe(2);
    expect(ratio(row('a', [10]), row('b', [null]))).toBeUndefined();
  });
});

describe('judge', () => {
  it('takes the floor for met where there is one, and says whether the goal is reached', () => {
    expect(byGraphileWorker([89])).toMatchObject({ met: false, reached: false });
    expect(byGraphileWorker([90])).toMatchObject({ value: 0.9, met: true, reached: false });
    expect(byGraphileWorker([130])).toMatchObject({ met: true, reached: true });
  });

  it('never takes what was not measured for met, and says why', () => {
    const [goal] = goalsOf(
      'enqueue-10',
      row('nest-conductor', [9_000]),
      row('BullMQ', [], { problem: 'there is no redis-server on this machine' }),
    );
    expect(goal).toMatchObject({ id: 'PF3', value: null, met: false, reached: false });
    expect(goal!.problem).toContain('no redis-server');
  });

  it('knows goals where less is better', () => {
    const within = (ms: number) =>
      goalsOf('latency-within', row('nest-conductor', [ms], { median: ms }));
    expect(within(1.4)[0]).toMatchObject({ met: true });
    expect(within(1.6)[0]).toMatchObject({ met: false });
  });

  it('is silent about scenarios that were not run', () => {
    expect(judge(new Map())).toEqual([]);
  });
});
