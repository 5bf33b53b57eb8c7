import type { Row } from './row.js';

/** The rows of one scenario as a table for a terminal. */
export function table(title: string, rows: Row[]): string {
  const facts = [...new Set(rows.flatMap((row) => Object.keys(row.facts)))];
  const head = ['', rows[0]!.unit, 'lowest – highest', 'ours ÷ it', ...facts];
  const lines = rows.map((row) => [
    row.subject,
    shown(row.median),
    range(row),
    row.ours === undefined ? '' : `${row.ours.toFixed(2)} ×`,
    ...facts.map((fact) => shown(row.facts[fact])),
  ]);
  const problems = rows.flatMap(({ subject, problem }) =>
    problem === undefined ? [] : [`  ${subject}: ${problem.split('\n')[0]}`],
  );
  return [title, ...aligned([head, ...lines]), ...problems].join('\n');
}

/** The first column to the left, the others to the right. */
export function aligned(lines: string[][]): string[] {
  const widths = lines[0]!.map((_, at) => Math.max(...lines.map((line) => line[at]!.length)));
  return lines.map((line) => {
    const cells = line.map((cell, at) =>
      at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!),
    );
    return `  ${cells.join('  ').trimEnd()}`;
  });
}

function range({ rounds }: Row): string {
  const values = rounds.filter((value) => value !== null);
  if (values.length < 2) return '';
  return `${shown(Math.min(...values))} – ${shown(Math.max(...values))}`;
}

export function shown(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  if (value >= 1_000) return Math.round(value).toLocaleString('en-US');
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(2);
}
