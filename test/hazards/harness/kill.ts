import { setTimeout as pause } from 'node:timers/promises';
import { statusCode } from '../../../lib/execution/execution-status.js';
import type { Cluster, Query } from './cluster.js';
import type { Fleet } from './fleet.js';
import type { Random } from './random.js';
import type { WorkerProcess } from './worker-process.js';

const BUSY_WITHIN_MS = 2_000;

/** A SIGKILL, and what it hit. */
export interface Kill {
  pid: number;
  /** Milliseconds since 1970; the server runs on this machine and has the same clock. */
  at: number;
  /** The process's rows in the database, and when each was last renewed. None: it had not registered yet. */
  workers: { id: number; beatAt: number }[];
  /** Executions that it was running; without those that wait to run alone. */
  owned: string[];
}

export interface KillPlan {
  count: number;
  /** The shortest and the longest time from one to the next, and to the first. */
  pauseMs: [number, number];
}

/** Kills one serving worker after the other, each at random, and replaces each at once. */
export async function killWorkers(
  cluster: Cluster,
  fleet: Fleet,
  { count, pauseMs }: KillPlan,
  random: Random,
  log: (line: string) => void,
): Promise<Kill[]> {
  const kills: Kill[] = [];
  let due = performance.now();
  while (kills.length < count) {
    due += random.integer(...pauseMs);
    await pause(Math.max(0, due - performance.now()));
    const victim = random.pick(fleet.serving.length > 0 ? fleet.serving : fleet.workers);
    const at = Date.now();
    await victim.kill();
    fleet.replace(victim);
    const kill = await whatItHit(cluster.engine, victim, at);
    kills.push(kill);
    log(`kill ${kills.length} of ${count}: pid ${kill.pid} with ${kill.owned.length} running`);
  }
  return kills;
}

/** A worker at random among those that run something; among all, if nobody does for a while. */
export async function busyWorker(
  query: Query,
  fleet: Fleet,
  random: Random,
): Promise<WorkerProcess> {
  const end = performance.now() + BUSY_WITHIN_MS;
  for (;;) {
    const { serving } = fleet;
    const rows = await query<{ pid: number }>(
      `select distinct w.pid from conductor.worker w join conductor.run r on r.worker_id = w.id
       where r.status = $1 and r.started`,
      [statusCode.running],
    );
    const busy = serving.filter(({ pid }) => rows.some((row) => row.pid === pid));
    if (busy.length > 0) return random.pick(busy);
    if (performance.now() > end && serving.length > 0) return random.pick(serving);
    await pause(20);
  }
}

/** Read after the process is gone: nothing of its own changes these rows any more, and its lease has not lapsed yet. */
export async function whatItHit(query: Query, { pid }: WorkerProcess, at: number): Promise<Kill> {
  return { pid, at, ...(await whatRunsIn(query, pid)) };
}

/** The workers of a process, and what they are running; of all processes without a pid. */
export async function whatRunsIn(
  query: Query,
  pid?: number,
): Promise<Pick<Kill, 'workers' | 'owned'>> {
  const rows = await query<{ id: number; beatAt: number; owned: string[] }>(
    `select w.id, extract(epoch from w.beat_at)::float8 * 1000 as "beatAt",
            array(select r.id::text from conductor.run r where r.worker_id = w.id and r.status = $2 and r.started) as owned
     from conductor.worker w where w.pid = coalesce($1, w.pid)`,
    [pid, statusCode.running],
  );
  return {
    workers: rows.map(({ id, beatAt }) => ({ id, beatAt })),
    owned: rows.flatMap(({ owned }) => owned),
  };
}
