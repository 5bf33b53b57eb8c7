import type { BaseContext } from '../../../lib/index.js';
import type { Standstill } from '../loads/load-frozen.js';
import type { WorkerMessage } from './settings.js';

export function tell(message: WorkerMessage): void {
  if (process.connected) process.send!(message);
}

/** When the attempt's signal fires, the controller learns when. */
export function tellAborts({
  signal,
  executionId,
}: Pick<BaseContext, 'signal' | 'executionId'>): void {
  signal.addEventListener('abort', () =>
    tell({ type: 'aborted', execution: executionId, at: Date.now() }),
  );
}

/** The whole process stops, here, until the controller lets it go on. */
export async function standStill(execution: string, place: Standstill): Promise<void> {
  // sent before it stops: nothing is sent after
  await new Promise((resolve) =>
    process.send!({ type: 'frozen', execution, place } satisfies WorkerMessage, resolve),
  );
  process.kill(process.pid, 'SIGSTOP');
}
