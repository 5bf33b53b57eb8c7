import type { Database } from '../database.js';
import { offerBlocked, resume } from '../sql/blocked.js';

/** What lets blocked executions go on. */
export class BlockedRepository {
  constructor(private readonly database: Database) {}

  /** Offers what is blocked of these tasks at once, for a worker that boots. */
  async offer(taskIds: number[], patienceMs: number): Promise<void> {
    await this.database.statement.persist(
      offerBlocked.call(this.database.schema),
      [taskIds],
      this.database.patience(patienceMs),
    );
  }

  /** Makes blocked executions pending again. @returns their ids and queues */
  async resume(
    which: { ids?: string[]; queue?: string; task?: string },
    limit: number,
    patienceMs: number,
  ): Promise<{ id: string; queueId: number }[]> {
    const rows = await this.database.statement.persist<{ id: string; queue_id: number }>(
      resume.call(this.database.schema),
      [which.ids ?? null, which.queue ?? null, which.task ?? null, limit],
      this.database.patience(patienceMs),
    );
    return rows.map(({ id, queue_id }) => ({ id, queueId: queue_id }));
  }
}
