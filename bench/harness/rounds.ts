import { OURS, type Context, type Measured, type Scenario } from '../scenarios/scenario.js';
import { median } from './statistics.js';
import { shown } from './table.js';

/** A subject's row in a scenario. */
export interface Row {
  scenario: string;
  subject: string;
  unit: string;
  better: 'higher' | 'lower';
  /** One a round; null where there is none. */
  rounds: (number | null)[];
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
  const { quick, rounds = quick ? 1 : scenario.rounds } = context;
  const entries = scenario.entries.filter(({ ours }) => ours || !quick || scenario.quick === 'all');
  const columns: Column[] = entries.map(({ subject, ours }) => ({
    row: {
      scenario: scenario.id,
      subject,
      unit: scenario.unit,
      better: scenario.better,
      rounds: [],
      facts: {},
    },
    rounds: [],
    isOurs: ours,
  }));
  try {
    await scenario.prepare?.(context);
  } catch (error) {
    for (const { row } of columns) row.problem = `could not be prepared: ${messageOf(error)}`;
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, { subject, measure }] of entries.entries()) {
      const { row, rounds: results } = columns[index]!;
      if (row.problem !== undefined) continue;
      try {
        const measured = await measure(context);
        results[round] = measured;
        process.stderr.write(
          `  ${scenario.id} ${round + 1}/${rounds} ${subject}: ${shown(measured.value)} ${scenario.unit}\n`,
        );
      } catch (error) {
        row.problem = messageOf(error);
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
    row.rounds = Array.from(rounds, (measured) => measured?.value ?? null);
    row.median = median(done.map(({ value }) => value));
    for (const name of Object.keys(done[0]!.facts ?? {}))
      row.facts[name] = median(done.map(({ facts }) => facts![name]!));
    if (reference !== undefined && row.subject !== OURS) row.ours = ratio(reference.row, row);
  }
}

/** One row by another: the median of the ratios of the rounds that both have. What a machine does from one round to the next
 *  falls on both. */
export function ratio(row: Row, by: Row): number | undefined {
  const ratios = row.rounds.flatMap((value, round) => {
    const divisor = by.rounds[round];
    return value !== null && typeof divisor === 'number' ? [value / divisor] : [];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
