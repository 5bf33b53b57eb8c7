import { setTimeout as pause } from 'node:timers/promises';
import type { WorkerProcess } from './worker-process.js';

const ABORT_BOUND_MS = 2_000;

/** The longest time from an event until the signals of these executions fired; null if none had one that could fire. */
export async function abortsAfter(
  worker: WorkerProcess,
  owned: string[],
  at: number,
): Promise<{ abortedAfterMs: number | null; aborted: number }> {
  const wanted = new Set(owned);
  const found = () =>
    worker.aborts.filter((abort) => wanted.has(abort.execution) && abort.at >= at);
  const end = performance.now() + ABORT_BOUND_MS;
  while (found().length < owned.length && performance.now() < end) await pause(10);
  const after = found().map((abort) => abort.at - at);
  return { abortedAfterMs: after.length > 0 ? Math.max(...after) : null, aborted: after.length };
}
