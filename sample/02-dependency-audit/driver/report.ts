import { isDeepStrictEqual } from 'node:util';
import type { AuditReport } from '../api/audit-views.js';
import type { Totals } from '../audit/totals.js';

const LABEL_WIDTH = 24;
const VALUE_WIDTH = 20;

export interface Findings {
  report: AuditReport;
  plain: Totals;
  /** Executions that the second, repeated request created. */
  createdAgain: number;
  recoveredAfter: { kill: number; freeze: number };
}

/** The table at the end. */
export function renderTable({ report, plain, recoveredAfter }: Findings): string {
  const { totals, attempts, recoveries, bodies } = report;
  const onPurpose = attempts - totals.packages;
  const { kill, freeze } = recoveredAfter;
  return [
    '',
    row('', 'with the engine', 'plain loop'.padStart(VALUE_WIDTH)),
    rule,
    ...comparison(totals, plain),
    rule,
    row('attempts', figure(attempts), `${onPurpose} of them failed, on purpose`),
    row('recoveries', figure(recoveries), `${kill} after the kill, ${freeze} after the freeze`),
    row('step bodies that ran', figure(bodies.begun)),
    row(
      '  of these again',
      figure(bodies.again),
      `${onPurpose} after a failure, ${bodies.again - onPurpose} after a recovery`,
    ),
    '',
    ...report.failures.map((failure) => `  not completed: ${failure}`),
  ].join('\n');
}

/** Everything that must hold, and whether it does. */
export function checksOf(findings: Findings): { check: string; holds: boolean }[] {
  const { report, plain, createdAgain, recoveredAfter } = findings;
  return [
    { check: 'every execution completed', holds: report.failures.length === 0 },
    { check: 'the repeated request created nothing', holds: createdAgain === 0 },
    { check: 'the kill interrupted work, which was recovered', holds: recoveredAfter.kill > 0 },
    { check: 'the freeze interrupted work, which was recovered', holds: recoveredAfter.freeze > 0 },
    {
      check: 'the totals equal those of the plain loop',
      holds: isDeepStrictEqual(report.totals, plain),
    },
  ];
}

function comparison(engine: Totals, plain: Totals): string[] {
  const others = figuresOf(plain, engine);
  return figuresOf(engine, plain).map(([label, one], index) => {
    const other = others[index]![1];
    return row(label, one, other.padStart(VALUE_WIDTH) + (one === other ? '' : '   DIFFERENT'));
  });
}

/** @param other names licences that these totals may lack */
function figuresOf(totals: Totals, other: Totals): [label: string, figure: string][] {
  const counts = (key: 'licences' | 'kinds') =>
    // in an order of their own: that of one of the two would not be that of the other
    [...new Set([...Object.keys(totals[key]), ...Object.keys(other[key])])]
      .toSorted()
      .map((name): [string, string] => [`  ${name}`, figure(totals[key][name] ?? 0)]);
  return [
    ['packages', figure(totals.packages)],
    ['files', figure(totals.files)],
    ['bytes', figure(totals.bytes)],
    ['licences', figure(Object.keys(totals.licences).length)],
    ...counts('licences'),
    ['kinds of licence', figure(Object.keys(totals.kinds).length)],
    ...counts('kinds'),
    ['SHA-512 of everything', `${totals.digest.slice(0, 8)}…${totals.digest.slice(-8)}`],
  ];
}

function row(label: string, value: string, rest = ''): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${value.padStart(VALUE_WIDTH)}   ${rest}`.trimEnd();
}

const rule = `  ${'─'.repeat(LABEL_WIDTH + 2 * VALUE_WIDTH + 3)}`;

function figure(value: number): string {
  return value.toLocaleString('en');
}
