import { statusCode } from '../../../lib/execution/execution-status.js';
import type { Change } from './audit-trigger.js';
import type { Kill } from './kill.js';

/** How an execution came back from a worker that was killed. In milliseconds. */
export interface Recovery {
  execution: string;
  /** From the dead worker's last heartbeat until the execution could be claimed again. */
  claimableAfterBeat: number;
  /** From the kill until another worker had claimed it. */
  claimedAfterKill?: number;
}

/** Every execution that recovery took from a killed worker. */
export function recoveriesFrom(kills: Kill[], changes: Change[]): Recovery[] {
  const killOf = new Map(
    kills.flatMap((kill) => kill.workers.map(({ id, beatAt }) => [id, { kill, beatAt }] as const)),
  );
  const recoveries: Recovery[] = [];
  const waiting = new Map<string, { recovery: Recovery; killedAt: number }>();
  for (const change of changes) {
    if (change.subject !== 'run') continue;
    if (isRecovery(change)) {
      const dead = killOf.get(change.oldWorkerId!);
      if (dead === undefined) continue;
      const recovery = {
        execution: change.execution,
        claimableAfterBeat: change.at - dead.beatAt,
      };
      recoveries.push(recovery);
      waiting.set(change.execution, { recovery, killedAt: dead.kill.at });
    } else if (change.status === statusCode.running) {
      const waited = waiting.get(change.execution);
      if (waited !== undefined) waited.recovery.claimedAfterKill = change.at - waited.killedAt;
      waiting.delete(change.execution);
    }
  }
  return recoveries;
}

/** Whether the lease of the execution's worker lapsed. */
export function isRecovery({ subject, statement, oldStatus, status }: Change): boolean {
  return (
    subject === 'run' &&
    statement === 'recover' &&
    oldStatus === statusCode.running &&
    status !== statusCode.running
  );
}

/** The value that this share of the values does not exceed (nearest rank); null of none. */
export function percentile(values: number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1]!;
}
