import { statusCode } from '../../../lib/execution/execution-status.js';
import { LEASE_MS } from '../worker/settings.js';
import type { Change } from './audit-trigger.js';
import type { History } from './history.js';
import type { Kill } from './kill.js';

/** What the engine promises, from the last heartbeat of a dead worker (guarantee G8). */
export const RECOVERY_P99_MS = LEASE_MS + 1_000;
export const RECOVERY_MAX_MS = LEASE_MS + 2_000;

/** How an execution came back from a worker that was killed. In milliseconds. */
export interface Recovery {
  execution: string;
  /** From the dead worker's last heartbeat until the execution could be claimed again. */
  claimableAfterBeat: number;
  /** Whether another worker served meanwhile: only then is a time promised. */
  promised: boolean;
  /** From the kill until another worker had claimed it. */
  claimedAfterKill?: number;
}

/** Every execution that recovery took from a killed worker. */
export function recoveriesFrom(
  kills: Kill[],
  { changes, registrations }: Pick<History, 'changes' | 'registrations'>,
): Recovery[] {
  const killOf = new Map(
    kills.flatMap((kill) => kill.workers.map(({ id, beatAt }) => [id, { kill, beatAt }] as const)),
  );
  const services = registrations.map(({ id, at }) => ({
    id,
    from: at,
    to: killOf.get(id)?.beatAt ?? Infinity,
  }));
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
        promised: isServed(services, dead.beatAt),
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

/** How long a worker beat, from its registration to its last beat. */
interface Service {
  from: number;
  to: number;
}

/** A newcomer learns that the database has been answering from whoever has beaten within half a lease. */
const LONGEST_GAP_MS = LEASE_MS / 2;

/** Whether another worker served: it was beating from when this lease lapsed until what it held had to be claimable, and knew that
 *  the database answered. Who begins after a gap without anybody's beats must first see that for a whole lease of its own. */
function isServed(services: Service[], beatAt: number): boolean {
  let until = beatAt;
  for (const { from, to } of services.toSorted((a, b) => a.from - b.from)) {
    if (from > until + LONGEST_GAP_MS) return false;
    if (from <= beatAt + LEASE_MS && to >= beatAt + RECOVERY_P99_MS) return true;
    until = Math.max(until, to);
  }
  return false;
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
