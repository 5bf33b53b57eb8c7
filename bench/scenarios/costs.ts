import type { Used } from '../harness/actions.js';
import type { Counters } from '../harness/server.js';
import type { Contender } from './contenders.js';

/** What a job cost: of the process that was measured, and of Postgres. */
export function costs(
  { store }: Contender,
  jobs: number,
  used: Used,
  before: Counters,
  after: Counters,
): Record<string, number> {
  const node = { 'Node µs/job': (used.cpuMs * 1e3) / jobs };
  if (store !== 'postgres') return node;
  const facts: Record<string, number> = {
    'WAL B/job': (after.walBytes - before.walBytes) / jobs,
    'trips/job': used.roundTrips / jobs,
    ...node,
  };
  if (after.cpuMs !== undefined && before.cpuMs !== undefined)
    facts['Postgres µs/job'] = ((after.cpuMs - before.cpuMs) * 1e3) / jobs;
  return facts;
}
