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
  /** Where the next call shall go on, if there is more. */
  reached: Place;
}

/** What ended before it, of its task and status, has been looked at. */
interface Place {
  task: number | null;
  status: number | null;
  since: Date | null;
}

interface PruneRow {
  removed: number;
  stripped: number;
  more: boolean;
  brief: boolean;
  reached_task: number | null;
  reached_status: number | null;
  reached_at: Date | null;
}

const beginning: Place = { task: null, status: null, since: null };

/** What becomes of what is finished. */
export class RetentionRepository {
  constructor(private readonly database: Database) {}

  /** Removes what its task's retention does not keep any longer, a bounded number. Nothing, while another worker does. */
  async prune(from = beginning, limit = PRUNE_LIMIT, rows = ROW_LIMIT): Promise<Pruning> {
    const [row] = await this.database.statement.run<PruneRow>(prune.call(this.database.schema), [
      limit,
      rows,
      from.task,
      from.status,
      from.since,
    ]);
    const { removed, stripped, more, brief, reached_task, reached_status, reached_at } = row!;
    return {
      removed,
      stripped,
      more,
      brief,
      reached: { task: reached_task, status: reached_status, since: reached_at },
    };
  }
}
