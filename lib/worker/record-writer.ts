import { Batcher } from '../common/batcher.js';
import { sleep, type Clock } from '../common/clock.js';
import { LeaseLostError } from '../errors/lease-lost.error.js';
import type { WriteReport } from '../execution/outcome.js';
import type {
  ExecutionRepository,
  SuspendItem,
  SuspendReport,
} from '../persistence/repositories/execution.repository.js';
import type { RecordItem, StepRepository } from '../persistence/repositories/step.repository.js';
import { BUSY_PAUSE_MS, isItemFailure } from '../persistence/statement.js';
import type { SuspendReply } from './journal-ports.js';
import type { RecordWrite } from '../execution/step-record.js';

/** What one write takes at most: items, and bytes. */
export const WRITE_BATCH = {
  limit: 1_000,
  weightLimit: 4 * 1024 * 1024,
  mayBeOneItem: isItemFailure,
};

const weighRecords = ({ records }: { records: RecordWrite[] }) =>
  records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0);

/** Brings what running handlers have come to into the database, in groups: one write of each kind in flight, and what comes
 *  meanwhile goes with the next. Waits out what is transient for as long as the worker lives. */
export class RecordWriter {
  private readonly saves: Batcher<RecordItem, WriteReport>;
  private readonly suspends: Batcher<SuspendItem, SuspendReport>;
  private abandoned = false;

  constructor(
    executions: ExecutionRepository,
    steps: StepRepository,
    private readonly clock: Clock,
    /** The error as user code may see it. */
    private readonly visible: (error: unknown) => Error,
  ) {
    const goOn = () => !this.abandoned;
    this.saves = new Batcher<RecordItem, WriteReport>((items) => steps.save(items, goOn), {
      ...WRITE_BATCH,
      weigh: weighRecords,
    });
    this.suspends = new Batcher<SuspendItem, SuspendReport>(
      (items) => executions.suspend(items, goOn),
      { ...WRITE_BATCH, weigh: weighRecords },
    );
  }

  /** Rejects with LeaseLostError, or with what Postgres refuses the content for. */
  save(item: RecordItem): Promise<void> {
    return this.untilFree(
      () => this.saves.add(item),
      (report) => report === 'busy',
    ).then(
      (report) => {
        if (report === 'lost') throw new LeaseLostError(item.id);
      },
      (error: unknown) => {
        throw this.visible(error);
      },
    );
  }

  /** Never rejects. Without an answer it may be parked or not: as if it were lost, so that recovery tells. */
  async suspend(item: SuspendItem): Promise<SuspendReply & { reason?: string }> {
    try {
      const report = await this.untilFree(
        () => this.suspends.add(item),
        ({ type }) => type === 'busy',
      );
      return report.type === 'busy' ? { type: 'lost' } : report;
    } catch (error) {
      if (!isItemFailure(error)) return { type: 'lost' };
      return { type: 'refused', error: this.visible(error) };
    }
  }

  async flush(): Promise<void> {
    await Promise.all([this.saves.idle(), this.suspends.idle()]);
  }

  /** The hard deadline has passed: stop trying. What was not written is recovered when the lease lapses. */
  abandon(): void {
    this.abandoned = true;
  }

  private untilFree<R>(write: () => Promise<R>, isBusy: (report: R) => boolean): Promise<R> {
    return write().then((report) => {
      if (!isBusy(report) || this.abandoned) return report;
      return sleep(this.clock, BUSY_PAUSE_MS).then(() => this.untilFree(write, isBusy));
    });
  }
}
