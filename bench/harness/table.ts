import type { Row } from './rounds.js';

/** The rows of one scenario as a table for a terminal. */
export function table(title: string, rows: Row[]): string {
  const facts = [...new Set(rows.flatMap((row) => Object.keys(row.facts)))];
  const head = ['', rows[0]!.unit, 'lowest – highest', 'ours ÷ it', ...facts];
  const lines = rows.map((row) => [
    row.subject,
    shown(row.median),
    row.values.length > 1
      ? `${shown(Math.min(...row.values))} – ${shown(Math.max(...row.values))}`
      : '',
    row.ours === undefined ? '' : `${row.ours.toFixed(2)} ×`,
    ...facts.map((fact) => shown(row.facts[fact])),
  ]);
  const widths = head.map((_, at) => Math.max(...[head, ...lines].map((line) => line[at]!.length)));
  const drawn = [head, ...lines].map((line) =>
    line
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!)))
      .join('  '),
  );
  const problems = rows.flatMap(({ subject, problem }) =>
    problem === undefined ? [] : [`  ${subject}: ${problem.split('\n')[0]}`],
  );
  return [title, ...drawn.map((line) => `  ${line.trimEnd()}`), ...problems].join('\n');
}

export function shown(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return '–';
  if (value >= 1_000) return Math.round(value).toLocaleString('en-US');
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(2);
}
