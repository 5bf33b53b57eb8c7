import { sleep, type Clock } from '../../common/clock.js';
import { Loop } from '../../common/loop.js';
import type {
  Pruning,
  RetentionRepository,
} from '../../persistence/repositories/retention.repository.js';
import type { WorkerLog } from '../../worker/worker-log.js';

const PAUSE_MS = 60_000;

/** While some task keeps what ended for less than ten minutes, as with `0`. */
const BRIEF_PAUSE_MS = 2_500;

/** Removes what is finished and not kept any longer, when the worker starts and every minute. */
export class Retention {
  private readonly loop: Loop;
  private pauseMs = 0;
  private stopping = false;

  constructor(
    private readonly retention: RetentionRepository,
    private readonly clock: Clock,
    log: WorkerLog,
  ) {
    this.loop = new Loop(
      () => this.prune(),
      () => this.pauseMs,
      (error) => log.dutyFailed('Removing what is not kept any longer', error),
      clock,
    );
  }

  start(): void {
    this.loop.start();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.loop.stop();
  }

  /** In bounded statements until nothing is left. After each it rests for as long as it took, so that a large backlog takes at most
   *  half of one connection, and half of what the database can do in that time stays for claims. */
  private async prune(): Promise<void> {
    this.pauseMs = PAUSE_MS;
    let place: Pruning['reached'] | undefined;
    while (!this.stopping) {
      const began = this.clock.now();
      const { more, brief, reached } = await this.retention.prune(place);
      this.pauseMs = brief ? BRIEF_PAUSE_MS : PAUSE_MS;
      if (!more) return;
      place = reached;
      await sleep(this.clock, this.clock.now() - began);
    }
  }
}
