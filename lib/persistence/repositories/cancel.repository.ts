import { cancelAnswers, type CancelAnswer } from '../../execution/cancel-answer.js';
import type { Database } from '../database.js';
import { cancel } from '../sql/cancel.js';

export interface CancelRequest {
  id: string;
  /** New for each request: sent again, it is answered as it was. */
  token: string;
  reason?: string;
}

/** Ends executions from outside. */
export class CancelRepository {
  constructor(private readonly database: Database) {}

  /** @returns the queue whose workers have to be told, if it runs */
  async cancel(
    { id, token, reason }: CancelRequest,
    patienceMs: number,
  ): Promise<{ answer: CancelAnswer; queueId?: number }> {
    const [row] = await this.database.statement.persist<{
      answer: number;
      queue_id: number | null;
    }>(
      cancel.call(this.database.schema),
      [id, token, reason ?? null],
      this.database.patience(patienceMs),
    );
    return { answer: cancelAnswers[row!.answer]!, queueId: row!.queue_id ?? undefined };
  }
}
