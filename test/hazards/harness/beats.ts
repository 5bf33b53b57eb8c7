import { setTimeout as pause } from 'node:timers/promises';
import type { Query } from './cluster.js';

const LOOK_EVERY_MS = 25;

/** Looks how old the workers' heartbeats become, until it is stopped. */
export function watchBeats(query: Query): { stop(): Promise<{ oldestMs: number }> } {
  let stopped = false;
  let oldestMs = 0;
  const watching = (async () => {
    while (!stopped) {
      const [row] = await query<{ age: number | null }>(
        `select extract(epoch from max(clock_timestamp() - beat_at))::float8 * 1000 as age
         from conductor.worker where not dead`,
      );
      oldestMs = Math.max(oldestMs, row!.age ?? 0);
      await pause(LOOK_EVERY_MS);
    }
  })();
  return {
    async stop() {
      stopped = true;
      await watching;
      return { oldestMs };
    },
  };
}

/** Resolves when this process has renewed its lease after that time, with how long after. */
export async function beatAfter(query: Query, pid: number, at: number): Promise<number> {
  for (;;) {
    const [row] = await query<{ after: number | null }>(
      `select extract(epoch from max(beat_at))::float8 * 1000 - $2 as after from conductor.worker where pid = $1 and not dead`,
      [pid, at],
    );
    if ((row!.after ?? 0) > 0) return row!.after!;
    await pause(LOOK_EVERY_MS);
  }
}
