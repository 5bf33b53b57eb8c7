import { OURS, type Row } from './row.js';
import { shown } from './table.js';

// readable on white and on black: whether a page is light or dark, an image cannot know
const TEXT = '#7d8590';
const OUR_BAR = '#2f81f7';
const BAR = '#8b949e';

const COLUMNS = 2;
const WIDTH = 900;
const PANEL = WIDTH / COLUMNS;
const LABELS = 120;
const VALUES = 80;
const LINE = 20;
const HEAD = 40;
const GAP = 16;

/** What a panel says of its scenario. */
interface Charted {
  id: string;
  title: string;
  unit: string;
  better: 'higher' | 'lower';
}

interface Panel {
  title: string;
  note: string;
  rows: { subject: string; median: number }[];
}

/** Bars of the medians, a panel for each of these scenarios. The same figures make the same file. */
export function chart(scenarios: Charted[], measured: Map<string, Row[]>): string {
  const panels = scenarios.flatMap((scenario) => {
    const rows = measured.get(scenario.id);
    return rows === undefined ? [] : [panelOf(scenario, rows)];
  });
  const parts: string[] = [];
  let top = GAP;
  for (let at = 0; at < panels.length; at += COLUMNS) {
    const line = panels.slice(at, at + COLUMNS);
    line.forEach((panel, column) => parts.push(drawPanel(panel, column * PANEL, top)));
    top += Math.max(...line.map(heightOf)) + GAP;
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" viewBox="0 0 ${WIDTH} ${top}" ` +
      `font-family="-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif" font-size="12" fill="${TEXT}" role="img">`,
    '<title>nest-conductor beside other job queues and workflow engines</title>',
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

function panelOf({ title, unit, better }: Charted, rows: Row[]): Panel {
  return {
    title,
    note: `${unit}, ${better === 'higher' ? 'more' : 'less'} is better`,
    rows: rows.flatMap(({ subject, median }) =>
      // a row of ours beside the first is for the table
      median === undefined || (subject.startsWith(OURS) && subject !== OURS)
        ? []
        : [{ subject: subject.replace(/ \(.*\)$/, ''), median }],
    ),
  };
}

const heightOf = ({ rows }: Panel) => HEAD + rows.length * LINE;

function drawPanel({ title, note, rows }: Panel, left: number, top: number): string {
  const widest = Math.max(...rows.map(({ median }) => median));
  const room = PANEL - LABELS - VALUES;
  const bars = rows.map(({ subject, median }, at) => {
    const y = top + HEAD + at * LINE;
    const length = Math.max(1, (median / widest) * room);
    const weight = subject === OURS ? ' font-weight="600"' : '';
    return [
      `<text x="${left + LABELS - 8}" y="${y + 11}" text-anchor="end"${weight}>${escaped(subject)}</text>`,
      `<rect x="${left + LABELS}" y="${y}" width="${length.toFixed(1)}" height="14" rx="2" fill="${subject === OURS ? OUR_BAR : BAR}"/>`,
      `<text x="${(left + LABELS + length + 6).toFixed(1)}" y="${y + 11}"${weight}>${shown(median)}</text>`,
    ].join('\n');
  });
  return [
    `<text x="${left + 8}" y="${top + 12}" font-size="13" font-weight="600">${escaped(title)}</text>`,
    `<text x="${left + 8}" y="${top + 28}" font-size="11">${escaped(note)}</text>`,
    ...bars,
  ].join('\n');
}

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
