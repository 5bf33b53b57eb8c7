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
  /** Executions that ended, and did not complete. */
  notCompleted: number;
  recoveredAfter: { kill: number; freeze: number };
}

/** The table at the end. */
export function renderTable({ report, plain, recoveredAfter }: Findings): string {
  const { totals, attempts, recoveries, bodies } = report;
  const onPurpose = attempts - totals.packages;
  const { kill, freeze } = recoveredAfter;
  return [
    '',
    row('', 'with the engine', 'plain loop'),
    rule,
    ...comparison(figuresOf(totals), figuresOf(plain)),
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
  ].join('\n');
}

/** Everything that must hold, and whether it does. */
export function checksOf(findings: Findings): { check: string; holds: boolean }[] {
  const { report, plain, createdAgain, notCompleted, recoveredAfter } = findings;
  return [
    { check: 'every execution completed', holds: notCompleted === 0 },
    { check: 'the repeated request created nothing', holds: createdAgain === 0 },
    { check: 'the kill interrupted work, which was recovered', holds: recoveredAfter.kill > 0 },
    { check: 'the freeze interrupted work, which was recovered', holds: recoveredAfter.freeze > 0 },
    {
      check: 'the totals equal those of the plain loop',
      holds: isDeepStrictEqual(report.totals, plain),
    },
  ];
}

function comparison(engine: Map<string, string>, plain: Map<string, string>): string[] {
  const labels = new Set([...engine.keys(), ...plain.keys()]);
  return [...labels].map((label) => {
    const [one = '–', other = '–'] = [engine.get(label), plain.get(label)];
    return row(
      label,
      one,
      one === other ? other.padStart(VALUE_WIDTH) : `${other.padStart(VALUE_WIDTH)}   DIFFERENT`,
    );
  });
}

function figuresOf({ packages, files, bytes, licences, kinds, digest }: Totals) {
  const indented = (counts: Record<string, number>) =>
    Object.entries(counts).map(([name, count]) => [`  ${name}`, figure(count)] as const);
  return new Map([
    ['packages', figure(packages)],
    ['files', figure(files)],
    ['bytes', figure(bytes)],
    ['licences', figure(Object.keys(licences).length)],
    ...indented(licences),
    ['kinds of licence', figure(Object.keys(kinds).length)],
    ...indented(kinds),
    ['SHA-512 of everything', `${digest.slice(0, 8)}…${digest.slice(-8)}`],
  ]);
}

function row(label: string, value: string, rest = ''): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${value.padStart(VALUE_WIDTH)}   ${rest}`.trimEnd();
}

const rule = `  ${'─'.repeat(LABEL_WIDTH + 2 * VALUE_WIDTH + 3)}`;

function figure(value: number): string {
  return value.toLocaleString('en');
}
