import type { WorkerRepository } from '../../persistence/repositories/worker.repository.js';
import type { WorkerLog } from '../../worker/worker-log.js';

/** Makes the executions of dead workers claimable again, in bounded statements until nothing is left. */
export async function recoverLapsed(
  workers: WorkerRepository,
  workerId: number,
  log: WorkerLog,
): Promise<void> {
  for (;;) {
    const recoveries = await workers.recover(workerId);
    for (const { workerId: victim, recovered, ended } of recoveries) {
      if (recovered + ended > 0) log.recovered(victim, recovered, ended);
    }
    if (!recoveries.some(({ more }) => more)) return;
  }
}
