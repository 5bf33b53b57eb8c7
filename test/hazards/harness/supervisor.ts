import { setTimeout as pause } from 'node:timers/promises';
import { LEASE_MS } from '../worker/settings.js';
import type { Cluster } from './cluster.js';
import type { Fleet } from './fleet.js';
import { whatItHit, type Kill } from './kill.js';
import type { WorkerProcess } from './worker-process.js';

const LOOK_EVERY_MS = 25;

/** As the liveness probe of an orchestrator: it takes longer than the engine to find a process dead. */
const SILENT_MS = 2 * LEASE_MS;

/** By then a process that lives has said so twice, and what is blocked still has its lease. */
const SUSPECT_MS = LEASE_MS / 2;

/** Replaces processes that end, and ends and replaces those that do nothing any more, until it is over and none is silent. */
export async function supervise(
  { engine }: Cluster,
  fleet: Fleet,
  isOver: () => Promise<boolean>,
  log: (line: string) => void,
): Promise<Kill[]> {
  const deaths: Kill[] = [];
  // read while the engine still knows what it runs
  const suspects = new Map<WorkerProcess, Kill>();
  while (suspects.size > 0 || !(await isOver())) {
    for (const worker of fleet.workers) {
      const silentMs = worker.state === 'serving' ? performance.now() - worker.aliveAt : 0;
      if (silentMs > SUSPECT_MS && !suspects.has(worker))
        suspects.set(worker, await whatItHit(engine, worker, Date.now()));
      else if (silentMs < SUSPECT_MS && worker.state !== 'ended') suspects.delete(worker);
      if (worker.state !== 'ended' && silentMs < SILENT_MS) continue;
      const death = suspects.get(worker) ?? (await whatItHit(engine, worker, Date.now()));
      suspects.delete(worker);
      if (worker.state !== 'ended') await worker.kill();
      fleet.replace(worker);
      deaths.push(death);
      log(`pid ${worker.pid} is gone, with ${death.owned.length} running`);
    }
    await pause(LOOK_EVERY_MS);
  }
  return deaths;
}
