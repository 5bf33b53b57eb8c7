import { OURS, ratio, type Row } from './harness/row.js';

/** What we want to be able to say, and what must hold at least. */
interface Goal {
  id: string;
  what: string;
  /** The scenario that tells. */
  scenario: string;
  /** Of the scenario's rows; undefined where the machine has not what it takes. */
  value: (rows: Rows) => number | undefined;
  unit: string;
  /** What must hold at least, where the goal is more than that. */
  floor?: number;
  goal: number;
  /** Whether less is better. */
  less?: boolean;
}

export interface GoalReport {
  id: string;
  what: string;
  value: number | null;
  unit: string;
  floor?: number;
  goal: number;
  /** Whether the floor holds, or the goal where there is no floor. */
  met: boolean;
  /** Whether the goal is reached. */
  reached: boolean;
  /** Why there is no value. */
  problem?: string;
}

class Rows {
  constructor(private readonly rows: Row[]) {}

  ours(fact?: string): number | undefined {
    const row = this.find(OURS);
    return fact === undefined ? row?.median : row?.facts[fact];
  }

  /** Ours by another one's. */
  oursBy(subject: string): number | undefined {
    return this.ratio(OURS, subject);
  }

  /** Another one by ours. */
  byOurs(subject: string): number | undefined {
    return this.ratio(subject, OURS);
  }

  get problems(): string[] {
    return this.rows.flatMap(({ subject, problem }) =>
      problem === undefined ? [] : [`${subject}: ${problem.split('\n')[0]}`],
    );
  }

  private ratio(subject: string, by: string): number | undefined {
    const [row, other] = [this.find(subject), this.find(by)];
    return row && other && ratio(row, other);
  }

  private find(subject: string): Row | undefined {
    return this.rows.find((row) => row.subject === subject);
  }
}

const goals: Goal[] = [
  {
    id: 'PF1',
    what: 'drain 20,000, by graphile-worker',
    scenario: 'drain-20k',
    value: (rows) => rows.oursBy('graphile-worker'),
    unit: '×',
    floor: 0.9,
    goal: 1.3,
  },
  {
    id: 'PF1',
    what: 'drain 20,000, by pg-boss',
    scenario: 'drain-20k',
    value: (rows) => rows.oursBy('pg-boss'),
    unit: '×',
    floor: 1.3,
    goal: 2,
  },
  {
    id: 'PF1',
    what: 'drain 200,000, by graphile-worker',
    scenario: 'drain-200k',
    value: (rows) => rows.oursBy('graphile-worker'),
    unit: '×',
    floor: 1.05,
    goal: 1.3,
  },
  {
    id: 'PF1',
    what: 'drain 200,000, by pg-boss',
    scenario: 'drain-200k',
    value: (rows) => rows.oursBy('pg-boss'),
    unit: '×',
    floor: 1.3,
    goal: 2,
  },
  {
    id: 'PF2',
    what: 'with one memoized step, by without',
    scenario: 'one-step',
    value: (rows) => rows.oursBy('nest-conductor, without the step'),
    unit: '×',
    goal: 0.7,
  },
  {
    id: 'PF3',
    what: 'one by one, 10 callers, by BullMQ',
    scenario: 'enqueue-10',
    value: (rows) => rows.oursBy('BullMQ'),
    unit: '×',
    floor: 1.2,
    goal: 2,
  },
  {
    id: 'PF3',
    what: 'one by one, 100 callers',
    scenario: 'enqueue-100',
    value: (rows) => rows.ours(),
    unit: 'jobs/s',
    goal: 30_000,
  },
  {
    id: 'PF3',
    what: 'in bulk, by graphile-worker',
    scenario: 'enqueue-bulk',
    value: (rows) => rows.oursBy('graphile-worker'),
    unit: '×',
    goal: 1.3,
  },
  {
    id: 'PF4',
    what: 'p50 across two processes, by graphile-worker',
    scenario: 'latency-across',
    value: (rows) => rows.oursBy('graphile-worker'),
    unit: '×',
    goal: 0.7,
    less: true,
  },
  {
    id: 'PF4',
    what: 'p99 across two processes',
    scenario: 'latency-across',
    value: (rows) => rows.ours('p99 ms'),
    unit: 'ms',
    goal: 10,
    less: true,
  },
  {
    id: 'PF4',
    what: 'p50 within one process',
    scenario: 'latency-within',
    value: (rows) => rows.ours(),
    unit: 'ms',
    goal: 1.5,
    less: true,
  },
  {
    id: 'PF4',
    what: 'p99 within one process',
    scenario: 'latency-within',
    value: (rows) => rows.ours('p99 ms'),
    unit: 'ms',
    goal: 10,
    less: true,
  },
  {
    id: 'PF5',
    what: 'memoized steps, ten an execution',
    scenario: 'ten-steps',
    value: (rows) => rows.ours(),
    unit: 'steps/s',
    goal: 20_000,
  },
  {
    id: 'PF7',
    what: 'drain beside 1,000,000 finished, by beside none',
    scenario: 'backlog',
    value: (rows) => rows.byOurs('beside 1,000,000 finished'),
    unit: '×',
    goal: 0.95,
  },
  {
    id: 'PF7',
    what: 'drain beside 1,000,000 that sleep, by beside none',
    scenario: 'backlog',
    value: (rows) => rows.byOurs('beside 1,000,000 that sleep'),
    unit: '×',
    goal: 0.95,
  },
  {
    id: 'PF7',
    what: 'drain with an old snapshot held open, by without',
    scenario: 'backlog',
    value: (rows) => rows.byOurs('with an old snapshot held open'),
    unit: '×',
    goal: 0.8,
  },
  {
    id: 'PF7',
    what: 'a claim on an idle system',
    scenario: 'idle-poll',
    value: (rows) => rows.ours(),
    unit: 'ms',
    goal: 1,
    less: true,
  },
  {
    id: 'PF9',
    what: 'RSS after another 1,000,000 executions, by after 500,000',
    scenario: 'memory',
    value: (rows) => rows.ours(),
    unit: '×',
    goal: 1.1,
    less: true,
  },
  {
    id: 'PF10',
    what: 'queries of an idle worker',
    scenario: 'idle',
    value: (rows) => rows.ours(),
    unit: 'queries/s',
    goal: 2,
    less: true,
  },
  {
    id: 'PF10',
    what: 'CPU of an idle worker, % of a core',
    scenario: 'idle',
    value: (rows) => rows.ours('Node, % of a core'),
    unit: '%',
    goal: 1,
    less: true,
  },
  {
    id: 'PF11',
    what: 'replay of 1,000 steps',
    scenario: 'replay',
    value: (rows) => rows.ours(),
    unit: 'ms',
    goal: 50,
    less: true,
  },
  {
    id: 'PF11',
    what: 'queries for that replay',
    scenario: 'replay',
    value: (rows) => rows.ours('queries'),
    unit: 'queries',
    goal: 0,
    less: true,
  },
  {
    id: 'PF12',
    what: 'share of the physical limit: drain 20,000, by bare SQL',
    scenario: 'drain-20k',
    value: (rows) => rows.oursBy('bare SQL'),
    unit: '×',
    goal: 0.6,
  },
  {
    id: 'PF13',
    what: 'three worker processes, by one',
    scenario: 'three-processes',
    value: (rows) => rows.oursBy('nest-conductor, one process'),
    unit: '×',
    goal: 1,
  },
  {
    id: 'PF13',
    what: 'p99 of the latency at 70 % of the drain',
    scenario: 'latency-under-load',
    value: (rows) => rows.ours(),
    unit: 'ms',
    goal: 250,
    less: true,
  },
];

export const goalIds = [...new Set(goals.map(({ id }) => id))];

/** The goals of the scenarios that were run. */
export function judge(measured: Map<string, Row[]>): GoalReport[] {
  return goals.flatMap(({ scenario, value: read, less = false, ...goal }) => {
    const found = measured.get(scenario);
    if (found === undefined) return [];
    const rows = new Rows(found);
    const value = read(rows);
    const holds = (limit: number) =>
      value !== undefined && (less ? value <= limit : value >= limit);
    return [
      {
        ...goal,
        value: value ?? null,
        met: holds(goal.floor ?? goal.goal),
        reached: holds(goal.goal),
        ...(value === undefined && { problem: rows.problems.join('; ') }),
      },
    ];
  });
}
