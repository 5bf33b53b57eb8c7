import type { ExecutionRepository } from '../../persistence/repositories/execution.repository.js';

/** Ends what waits although its time is over, in bounded statements until nothing is left. */
export async function endOverdue(executions: ExecutionRepository): Promise<void> {
  while (await executions.endOverdue());
}
