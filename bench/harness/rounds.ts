import { OURS, type Context, type Measured, type Scenario } from '../scenarios/scenario.js';
import { median } from './statistics.js';
import { shown } from './table.js';

/** A subject's row in a scenario. */
export interface Row {
  scenario: string;
  subject: string;
  unit: string;
  better: 'higher' | 'lower';
  /** One a round. */
  values: number[];
  median?: number;
  /** Medians of what else was measured. */
  facts: Record<string, number>;
  /** Our value by its own, median of the rounds that both have. */
  ours?: number;
  /** Why there are no (more) values. */
  problem?: string;
}

interface Column {
  row: Row;
  rounds: (Measured | undefined)[];
  isOurs: boolean;
}

/** Runs a scenario's subjects in turn, round after round, so that what the machine does meanwhile falls on all of them.
 *  @returns whether all of ours went well */
export async function runScenario(
  scenario: Scenario,
  context: Context,
  changed: (rows: Row[]) => Promise<void>,
): Promise<boolean> {
  const rounds = context.quick ? scenario.rounds.quick : scenario.rounds.full;
  const columns: Column[] = scenario.entries.map(({ subject, ours }) => ({
    row: {
      scenario: scenario.id,
      subject,
      unit: scenario.unit,
      better: scenario.better,
      values: [],
      facts: {},
    },
    rounds: [],
    isOurs: ours,
  }));
  await scenario.prepare?.(context);
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { subject, measure }] of scenario.entries.entries()) {
      const { row, rounds: results } = columns[index]!;
      if (row.problem !== undefined) continue;
      try {
        const measured = await measure(context);
        results[round] = measured;
        process.stderr.write(
          `  ${scenario.id} ${round + 1}/${rounds} ${subject}: ${shown(measured.value)} ${scenario.unit}\n`,
        );
      } catch (error) {
        row.problem = error instanceof Error ? error.message : String(error);
        process.stderr.write(
          `  ${scenario.id} ${round + 1}/${rounds} ${subject}: ${row.problem}\n`,
        );
      }
      summarize(columns);
      await changed(columns.map((column) => column.row));
    }
  }
  await scenario.cleanUp?.(context);
  return columns.every(({ row, isOurs }) => !isOurs || row.problem === undefined);
}

function summarize(columns: Column[]): void {
  const reference = columns.find(({ row }) => row.subject === OURS);
  for (const { row, rounds } of columns) {
    const done = rounds.filter((measured) => measured !== undefined);
    if (done.length === 0) continue;
    row.values = done.map(({ value }) => value);
    row.median = median(row.values);
    for (const name of Object.keys(done[0]!.facts ?? {}))
      row.facts[name] = median(done.map(({ facts }) => facts![name]!));
    if (reference === undefined || row.subject === OURS) continue;
    const ratios = rounds.flatMap((measured, round) => {
      const mine = reference.rounds[round];
      return measured !== undefined && mine !== undefined ? [mine.value / measured.value] : [];
    });
    if (ratios.length > 0) row.ours = median(ratios);
  }
}
