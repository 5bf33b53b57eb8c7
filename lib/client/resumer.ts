import { channelOf } from '../persistence/channel.js';
import type { Database } from '../persistence/database.js';
import type { Notifier } from '../persistence/notifier.js';
import type { BlockedRepository } from '../persistence/repositories/blocked.repository.js';
import { ENQUEUE_PATIENCE_MS } from './enqueuer.js';

/** Rows of one statement, so that each stays short. */
const LIMIT = 1_000;

/** Which blocked executions are meant; all of them, where nothing is said. */
export interface ResumeFilter {
  task?: string;
  queue?: string;
}

/** Makes blocked executions claimable again. */
export class Resumer {
  /** @internal */
  constructor(
    private readonly database: Database,
    private readonly blocked: BlockedRepository,
    private readonly notifier: Notifier,
  ) {}

  /** @returns how many were blocked and are not any more */
  async resume(which: ResumeFilter & { ids?: string[] }): Promise<number> {
    let count = 0;
    try {
      for (;;) {
        const resumed = await this.blocked.resume(which, LIMIT, ENQUEUE_PATIENCE_MS);
        count += resumed.length;
        this.notifier.tell(resumed.map(({ queueId }) => channelOf(this.database.schema, queueId)));
        if (resumed.length < LIMIT) return count;
      }
    } catch (error) {
      throw this.database.visible(error, 'resume');
    }
  }
}
