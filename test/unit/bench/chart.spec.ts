import { chart } from '../../../bench/harness/chart.js';
import type { Row } from '../../../bench/harness/row.js';

const scenario = {
  id: 'drain',
  title: 'Drain <20,000>',
  unit: 'jobs/s',
  better: 'higher',
} as const;

const row = (subject: string, median?: number): Row => ({
  scenario: 'drain',
  subject,
  unit: 'jobs/s',
  better: 'higher',
  rounds: [median ?? null],
  facts: {},
  ...(median !== undefined && { median }),
});

const drawn = (...rows: Row[]) => chart([scenario], new Map([['drain', rows]]));

describe('chart', () => {
  it('draws the longest bar for the most, and the others by their share', () => {
    const svg = drawn(row('nest-conductor', 200), row('pg-boss', 100));
    const [first, second] = [...svg.matchAll(/<rect [^>]*width="([\d.]+)"/g)].map(([, width]) =>
      Number(width),
    );
    expect(second).toBeCloseTo(first! / 2);
  });

  it('leaves out what was not measured, and our own variants', () => {
    const svg = drawn(
      row('nest-conductor', 2),
      row('nest-conductor, concurrency 100', 3),
      row('DBOS'),
    );
    expect(svg.match(/<rect /g)).toHaveLength(1);
  });

  it('is valid with any title, and the same for the same figures', () => {
    const svg = drawn(row('nest-conductor', 200));
    expect(svg).toContain('Drain &lt;20,000&gt;');
    expect(drawn(row('nest-conductor', 200))).toBe(svg);
  });
});
