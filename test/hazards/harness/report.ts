import { writeFileSync } from 'node:fs';
import type { Figures } from '../hazard.js';

type Column = { title: string; of: (figures: Figures) => string };

const columns: Column[] = [
  { title: 'hazard', of: ({ id }) => id },
  { title: 'met', of: ({ met }) => (met ? 'yes' : 'NO') },
  { title: 'lost', of: ({ lost }) => String(lost) },
  { title: 'doubled', of: ({ doubled }) => String(doubled) },
  { title: 'stale', of: ({ stale }) => String(stale) },
  { title: 'deadlocks', of: ({ deadlocks }) => String(deadlocks) },
  {
    title: 'faults (under load)',
    of: ({ faultsInjected, faultsUnderLoad }) => `${faultsInjected} (${faultsUnderLoad})`,
  },
  { title: 'recovery p99', of: ({ recoveryP99Ms }) => milliseconds(recoveryP99Ms) },
  { title: 'max', of: ({ recoveryMaxMs }) => milliseconds(recoveryMaxMs) },
  { title: 'measured', of: ({ measured }) => measurements(measured) },
  { title: 'seed', of: ({ seed }) => String(seed) },
  { title: 'load', of: ({ load }) => load },
];

export function table(rows: Figures[]): string {
  const cells = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ of }) => of(row))),
  ];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]!.length)));
  return cells
    .map((line) =>
      line
        .map((cell, index) => cell.padEnd(widths[index]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Why each hazard that was not met was not, and what is told only. */
export function shortcomings(rows: Figures[]): string[] {
  return rows.flatMap(({ id, problems, told = [] }) => [
    ...problems.map((problem) => `${id}: ${problem}`),
    ...told.map((line) => `${id}, told and not judged: ${line}`),
  ]);
}

/** Rewritten after each row: a suite that is broken off has left what it found. */
export function writeJson(file: string, rows: Figures[]): void {
  writeFileSync(file, `${JSON.stringify({ hazards: rows }, null, 2)}\n`);
}

function measurements(measured: Figures['measured']): string {
  const told = Object.entries(measured).map(([name, value]) => `${name} ${value ?? '–'}`);
  return told.length === 0 ? '–' : told.join(', ');
}

function milliseconds(value: number | null): string {
  return value === null ? '–' : `${value} ms`;
}
