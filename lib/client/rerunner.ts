import { orderedUuid } from '../common/ordered-uuid.js';
import { ExecutionCompletedError } from '../errors/execution-completed.error.js';
import { ExecutionIdConflictError } from '../errors/execution-id-conflict.error.js';
import { ExecutionNotEndedError } from '../errors/execution-not-ended.error.js';
import { RecordExpiredError } from '../errors/record-expired.error.js';
import { UnknownExecutionError } from '../errors/unknown-execution.error.js';
import { UnknownStepError } from '../errors/unknown-step.error.js';
import type { RetriedExecution, RetryManyFilter } from '../interfaces/rerun-options.js';
import { channelOf } from '../persistence/channel.js';
import type { Database } from '../persistence/database.js';
import type { Notifier } from '../persistence/notifier.js';
import type {
  RerunItem,
  RerunReport,
  RerunRepository,
  Retryable,
} from '../persistence/repositories/rerun.repository.js';
import { ENQUEUE_PATIENCE_MS } from './enqueuer.js';

/** Executions, and records of theirs, of one statement, so that each stays short. One execution alone may have recorded as much. */
const BATCH = { executions: 100, records: 10_000 };

/** Makes new executions of ended ones. */
export class Rerunner {
  /** @internal */
  constructor(
    private readonly database: Database,
    private readonly reruns: RerunRepository,
    private readonly notifier: Notifier,
  ) {}

  /** @param item its id was chosen before, so that it can be sent again
   *  @param fromStep of a fork */
  async one(item: RerunItem, fromStep?: string): Promise<'created' | 'existing'> {
    for (;;) {
      const [report] = await this.send([item], { fromStep });
      // not made, and nothing is in the way any more: it has ended meanwhile
      if (report!.type !== 'again') return accepted(item, report!, fromStep);
    }
  }

  async many({
    status = 'failed',
    limit = Infinity,
    ...rest
  }: RetryManyFilter): Promise<RetriedExecution[]> {
    const filter = { ...rest, statuses: [status].flat() };
    const retried: RetriedExecution[] = [];
    let last: Retryable | undefined;
    while (retried.length < limit) {
      const wanted = Math.min(BATCH.executions, limit - retried.length);
      const found = await this.seen(() =>
        this.reruns.retryable(filter, last, wanted, ENQUEUE_PATIENCE_MS),
      );
      for (const batch of bounded(found)) {
        const items = batch.map(({ id }) => ({ id: orderedUuid(), sourceId: id }));
        const reports = await this.send(items, { once: true });
        items.forEach(({ id, sourceId }, index) => {
          if (isMade(reports[index]!)) retried.push({ id, retryOf: sourceId });
        });
      }
      if (found.length < wanted) break;
      last = found.at(-1);
    }
    return retried;
  }

  private async send(
    items: RerunItem[],
    how: { fromStep?: string; once?: boolean },
  ): Promise<RerunReport[]> {
    const reports = await this.seen(() => this.reruns.rerun(items, how, ENQUEUE_PATIENCE_MS));
    const made = reports.filter(isMade);
    this.notifier.tell(made.map(({ queueId }) => channelOf(this.database.schema, queueId)));
    return reports;
  }

  private async seen<T>(query: () => Promise<T>): Promise<T> {
    try {
      return await query();
    } catch (error) {
      throw this.database.visible(error, 'retry or fork');
    }
  }
}

function isMade({ type }: RerunReport): boolean {
  return type === 'created' || type === 'existing';
}

function bounded(found: Retryable[]): Retryable[][] {
  const batches: Retryable[][] = [];
  let records = Infinity;
  for (const one of found) {
    records += one.records;
    if (records <= BATCH.records) batches.at(-1)!.push(one);
    else {
      batches.push([one]);
      records = one.records;
    }
  }
  return batches;
}

function accepted(
  { id, sourceId }: RerunItem,
  report: RerunReport,
  fromStep: string | undefined,
): 'created' | 'existing' {
  switch (report.type) {
    case 'created':
    case 'existing':
      return report.type;
    case 'taken':
      throw new ExecutionIdConflictError(
        id,
        report.task,
        fromStep === undefined
          ? `an execution that is no retry of ${sourceId}`
          : `an execution that is no fork of ${sourceId} from "${fromStep}"`,
      );
    case 'live':
      throw new ExecutionNotEndedError(sourceId, report.status!);
    case 'expired':
      throw new RecordExpiredError(sourceId);
    case 'completed':
      throw new ExecutionCompletedError(sourceId);
    case 'noStep':
      throw new UnknownStepError(sourceId, fromStep!, report.recorded);
    case 'unknown':
    case 'rerunBefore':
    case 'again':
      throw new UnknownExecutionError(sourceId);
  }
}
