import type { BaseContext } from '../../../lib/index.js';
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
