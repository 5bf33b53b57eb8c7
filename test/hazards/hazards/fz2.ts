import { setTimeout as pause } from 'node:timers/promises';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import type { Change } from '../harness/audit-trigger.js';
import { run, type Course, type Site } from '../harness/course.js';
import { judge, missed, rounded } from '../harness/judge.js';
import { whatItHit, type Kill } from '../harness/kill.js';
import { Random } from '../harness/random.js';
import { recoveriesFrom, type Recovery } from '../harness/recovery.js';
import type { WorkerProcess } from '../harness/worker-process.js';
import {
  loadFrozen,
  standstills,
  type FrozenPayload,
  type Standstill,
} from '../loads/load-frozen.js';
import { LEASE_MS } from '../worker/settings.js';

/** The engine's own time-out of a transaction that goes without a statement. */
const TRANSACTION_IDLE_MS = 5_000;

/** Longer than it takes to be rid of what a frozen process holds. */
const FROZEN_MS = LEASE_MS + TRANSACTION_IDLE_MS + 2_000;

const RECOVERED_WITHIN_MS = LEASE_MS + TRANSACTION_IDLE_MS + 1_000;

const LOOK_EVERY_MS = 20;

interface Fz2 extends Course<FrozenPayload> {
  freezes: number;
}

const whole: Fz2 = {
  load: loadFrozen,
  executions: 500,
  spanMs: 50_000,
  workers: 3,
  spares: 0,
  concurrency: 10,
  fsync: false,
  freezes: 6,
};

const fast: Fz2 = { ...whole, executions: 200, spanMs: 12_000, freezes: 3 };

const courses: Record<Tier, Fz2> = { fast, scaled: whole, full: whole };

interface Freeze extends Kill {
  execution: string;
  place: Standstill;
}

/** Attends to processes that have stopped themselves, until so many have. */
async function thawAll({ cluster, fleet, log }: Site, { freezes, spanMs }: Fz2): Promise<Freeze[]> {
  const found: Promise<Freeze>[] = [];
  const seen = new Map<WorkerProcess, number>();
  const end = performance.now() + 2 * spanMs;
  while (found.length < freezes && performance.now() < end) {
    for (const worker of fleet.workers) {
      const before = seen.get(worker) ?? 0;
      for (const { execution, place } of worker.standstills.slice(before)) {
        found.push(thaw(worker, execution, place));
      }
      seen.set(worker, worker.standstills.length);
    }
    await pause(LOOK_EVERY_MS);
  }
  return await Promise.all(found);

  async function thaw(
    worker: WorkerProcess,
    execution: string,
    place: Standstill,
  ): Promise<Freeze> {
    const hit = await whatItHit(cluster.engine, worker, Date.now());
    log(`pid ${worker.pid} stands still at ${place} with ${hit.owned.length} running`);
    await pause(FROZEN_MS);
    worker.thaw();
    return { ...hit, execution, place };
  }
}

/** From the last beat of a process that stopped here until its execution could be claimed again, at most. */
function longest(recoveries: Recovery[], freezes: Freeze[], place: Standstill): number | null {
  const stopped = new Set(
    freezes.filter((freeze) => freeze.place === place).map(({ execution }) => execution),
  );
  const times = recoveries
    .filter(({ execution }) => stopped.has(execution))
    .map(({ claimableAfterBeat }) => claimableAfterBeat);
  return times.length === 0 ? null : rounded(Math.max(...times));
}

/** From the standstill in a transaction, which keeps a lock of the user's own, to the end of the execution, at most. */
function longestToTheEnd(freezes: Freeze[], changes: Change[]): number | null {
  const times = freezes
    .filter(({ place }) => place === 'transaction')
    .flatMap(({ execution, at }) =>
      changes
        .filter((change) => change.subject === 'outcome' && change.execution === execution)
        .map((change) => change.at - at),
    );
  return times.length === 0 ? null : rounded(Math.max(...times));
}

export const fz2: Hazard = {
  id: 'FZ2',
  title:
    'a process stops between a body and its record, in a transactional step, and before its COMMIT',
  async run({ seed, tier, log }: Conditions): Promise<Figures> {
    const course = courses[tier];
    const { history, faults, problems } = await run(course, new Random(seed), log, (site) =>
      thawAll(site, course),
    );
    const recoveries = recoveriesFrom(faults, history);
    const locked = new Set(
      faults.filter(({ place }) => place === 'commit').map(({ execution }) => execution),
    );
    const [body, transaction, commit] = standstills.map((place) =>
      longest(recoveries, faults, place),
    );
    const ended = longestToTheEnd(faults, history.changes);
    return judge({
      id: 'FZ2',
      seed,
      tier,
      load: `${course.executions} executions of ${loadFrozen.description}`,
      history,
      faults,
      expectedFaults: course.freezes,
      // its row is locked by the transaction that stands still: it has a bound of its own
      recoveries: recoveries.filter(({ execution }) => !locked.has(execution)),
      measured: {
        'stopped in a body: claimable after ms': body!,
        'in a transaction: claimable after ms': transaction!,
        'and ended after ms': ended,
        'before COMMIT: claimable after ms': commit!,
      },
      problems,
      timing: [
        ...missed('recovery of what stopped before its COMMIT', commit!, RECOVERED_WITHIN_MS),
        ...missed('the end of what stopped in a transaction', ended, RECOVERED_WITHIN_MS + 1_000),
      ],
      log,
    });
  },
};
