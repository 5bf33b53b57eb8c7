import type { GoalReport } from '../goals.js';
import { aligned, shown } from './table.js';

export function goalsTable(goals: GoalReport[]): string {
  const lines = goals.map(({ id, what, value, unit, floor, goal, ...verdict }) => [
    `${id}  ${what}`,
    value === null ? 'not measured' : shown(value),
    floor === undefined ? '' : `${floor}`,
    goal.toLocaleString('en-US'),
    unit,
    word({ value, ...verdict }),
  ]);
  return ['Goals', ...aligned([['', 'value', 'floor', 'goal', '', ''], ...lines])].join('\n');
}

function word({
  value,
  met,
  reached,
  problem,
}: Pick<GoalReport, 'value' | 'met' | 'reached' | 'problem'>): string {
  if (value === null) return problem === undefined || problem === '' ? '–' : problem;
  if (reached) return 'reached';
  return met ? 'floor holds' : 'missed';
}
