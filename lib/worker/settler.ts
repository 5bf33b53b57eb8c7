import { Batcher } from '../common/batcher.js';
import type { Clock } from '../common/clock.js';
import type { Outcome, WriteReport } from '../execution/outcome.js';
import { serializeError } from '../execution/serialized-error.js';
import type {
  ExecutionRepository,
  SettleItem,
} from '../persistence/repositories/execution.repository.js';
import { BUSY_PAUSE_MS, isItemFailure } from '../persistence/statement.js';
import type { Attempt } from './attempt.js';
import { WRITE_BATCH } from './record-writer.js';
import type { WorkerLog } from './worker-log.js';

interface Settling extends SettleItem {
  attempt: Attempt;
}

export interface SettlerPorts {
  /** The attempt is over, whatever became of it. */
  finished(attempt: Attempt): void;
  /** It can be claimed again in so many ms. */
  retryIn(ms: number): void;
}

/** Stores what attempts come to, many together: one write in flight, and what ends meanwhile goes with the next. No promise an
 *  attempt: thousands may wait here. */
export class Settler {
  private readonly writes: Batcher<Settling, WriteReport>;
  private abandoned = false;
  private waiting = 0;

  constructor(
    executions: ExecutionRepository,
    private readonly log: WorkerLog,
    private readonly clock: Clock,
    private readonly ports: SettlerPorts,
  ) {
    this.writes = new Batcher((items) => executions.settle(items, () => !this.abandoned), {
      ...WRITE_BATCH,
      weigh: ({ outcome }) => (outcome.type === 'completed' ? outcome.result.length : 0),
    });
  }

  /** Outcomes that the database does not know yet. */
  get unsettled(): number {
    return this.waiting;
  }

  settle(attempt: Attempt, outcome: Outcome): void {
    if (outcome.type === 'suspended') return this.ports.finished(attempt);
    if (outcome.type === 'lost' || attempt.interrupted === 'lost') return this.lost(attempt);
    const { id, token } = attempt.execution;
    this.waiting += 1;
    this.send({ id, token, outcome, forget: attempt.mayForget, attempt });
  }

  /** The hard deadline has passed: stop trying. What was not written is recovered when the lease lapses. */
  abandon(): void {
    this.abandoned = true;
  }

  private send(item: Settling): void {
    this.writes.post(item, this.reported, this.refused);
  }

  private readonly reported = (report: WriteReport, item: Settling): void => {
    if (report === 'busy' && !this.abandoned)
      return void this.clock.startTimer(BUSY_PAUSE_MS, () => this.send({ ...item, wasBusy: true }));
    const { attempt, outcome } = item;
    this.waiting -= 1;
    if (outcome.type === 'retry') this.ports.retryIn(outcome.delayMs);
    if (outcome.type === 'blocked') this.log.blocked(attempt.execution, outcome.error.message);
    if (report === 'lost') this.lost(attempt);
    else this.ports.finished(attempt);
  };

  private readonly refused = (error: unknown, item: Settling): void => {
    const { attempt, outcome } = item;
    // Postgres refuses this very content: the execution fails by itself, its neighbours in the batch are settled
    if (isItemFailure(error) && outcome.type !== 'failed')
      return this.send({
        ...item,
        outcome: { type: 'failed', error: serializeError(this.log.visible(error)) },
      });
    this.waiting -= 1;
    this.log.settleFailed(attempt.execution, error);
    this.ports.finished(attempt);
  };

  private lost(attempt: Attempt): void {
    this.log.lost(attempt.execution);
    this.ports.finished(attempt);
  }
}
