import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditProgress } from '../api/audit-views.js';
import type { AppProcess } from './app-process.js';
import type { AuditClient } from './audit-client.js';
import type { Cluster } from './cluster.js';
import type { Screen } from './screen.js';

const PAUSE_MS = 200;

/** Follows one audit over HTTP. */
export class Watch {
  constructor(
    private readonly client: AuditClient,
    private readonly audit: string,
    private readonly cluster: Cluster,
    private readonly screen: Screen,
  ) {}

  /** Asks and shows how far it is until the condition holds.
   *  @throws if a process ended by itself */
  async until(condition: (progress: AuditProgress) => boolean): Promise<AuditProgress> {
    for (;;) {
      for (const process of this.cluster.processes) process.assertAlive();
      const progress = await this.look();
      if (condition(progress)) return progress;
      await sleep(PAUSE_MS);
    }
  }

  /** The same, in the middle of the audit.
   *  @throws if that is over first */
  async during(condition: (progress: AuditProgress) => boolean): Promise<AuditProgress> {
    const progress = await this.until((seen) => isOver(seen) || condition(seen));
    if (!isOver(progress)) return progress;
    throw new Error('The audit was over too soon. Lower BYTES_PER_SECOND in settings.ts.');
  }

  async look(): Promise<AuditProgress> {
    const progress = await this.client.progress(this.audit);
    this.screen.show(progress, this.cluster.workers);
    return progress;
  }
}

/** The share of the packages that are done, 0 to 1. */
export function shareDone(progress: AuditProgress): number {
  return ended(progress) / progress.packages;
}

export function isOver(progress: AuditProgress): boolean {
  return ended(progress) === progress.packages;
}

/** How many packages the worker has in hand. */
export function inHand(progress: AuditProgress, worker: AppProcess): number {
  return progress.running[worker.pid] ?? 0;
}

function ended({ statuses: { completed = 0, failed = 0, cancelled = 0 } }: AuditProgress): number {
  return completed + failed + cancelled;
}
