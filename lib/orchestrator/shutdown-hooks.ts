import { Logger } from '@nestjs/common';
import type { Clock } from '../common/clock.js';

/** How long after its start an app may call enableShutdownHooks: an application context starts before it can be told to. */
const GRACE_MS = 5_000;

/** Warns if nothing listens for SIGTERM a while after a start.
 *  @returns stops looking */
export function watchForShutdownHooks(clock: Clock): () => void {
  const timer = clock.startTimer(GRACE_MS, () => {
    if (process.listenerCount('SIGTERM') > 0) return;
    new Logger('Conductor').warn(
      'Nothing listens for SIGTERM: call app.enableShutdownHooks(), or a deploy cuts handlers off instead of draining them.',
    );
  });
  return () => clock.stopTimer(timer);
}
