import type { Database } from '../database.js';
import { prune } from '../sql/prune.js';

/** Executions of one statement: it stays under 50 ms. */
const PRUNE_LIMIT = 1_000;

/** Rows of steps, and of failed attempts, of one statement: a single execution may have thousands. */
const ROW_LIMIT = 10_000;

export interface Pruning {
  /** Gone altogether. */
  removed: number;
  /** Only id and status are left of them. */
  stripped: number;
  /** There may be more to do. */
  more: boolean;
  /** Some task keeps what ended for so short a time that it is worth looking again soon. */
  brief: boolean;
}

/** What becomes of what is finished. */
export class RetentionRepository {
  constructor(private readonly database: Database) {}

  /** Removes what its task's retention does not keep any longer, a bounded number. Nothing, while another worker does. */
  async prune(limit = PRUNE_LIMIT, rows = ROW_LIMIT): Promise<Pruning> {
    const [pruning] = await this.database.statement.run<Pruning>(prune.call(this.database.schema), [
      limit,
      rows,
    ]);
    return pruning!;
  }
}
