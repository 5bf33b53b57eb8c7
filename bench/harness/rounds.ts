import type { Context, Measured, Scenario } from '../scenarios/scenario.js';
import { OURS, ratio, type Row } from './row.js';
import { median } from './statistics.js';
import { shown } from './table.js';

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

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
