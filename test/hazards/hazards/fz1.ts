import { setTimeout as pause } from 'node:timers/promises';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import { abortsAfter } from '../harness/aborts.js';
import type { History } from '../harness/history.js';
import { run, type Course, type Fault, type Site } from '../harness/course.js';
import { judge, missed, rounded } from '../harness/judge.js';
import { busyWorker, whatRunsIn } from '../harness/kill.js';
import { localStarts, startsOf } from '../harness/local-starts.js';
import { Random } from '../harness/random.js';
import { loadFamily, type MemberPayload } from '../loads/load-family.js';
import { loadLong, type LongPayload } from '../loads/load-long.js';
import { LEASE_MS } from '../worker/settings.js';

const FROZEN_MS = 1.5 * LEASE_MS;
const ABORTED_WITHIN_MS = 100;

interface Fz1<P> extends Course<P> {
  freezes: number;
}

const scaled: Fz1<LongPayload> = {
  load: loadLong,
  executions: 300,
  spanMs: 40_000,
  workers: 3,
  spares: 0,
  concurrency: 10,
  fsync: false,
  freezes: 9,
};

const fast: Fz1<LongPayload> = { ...scaled, executions: 60, spanMs: 5_000, freezes: 1 };

/** One execution in ten is lost twice or more, and then runs alone in its process, one after the other: that takes its time. */
const full: Fz1<LongPayload> = {
  ...scaled,
  executions: 900,
  spanMs: 170_000,
  freezes: 40,
  convergeWithinMs: 300_000,
};

const courses: Record<Tier, Fz1<LongPayload>> = { fast, scaled, full };

/** Invokes take a while, so that a freeze meets some on their way. */
const ofFamilies = (course: Fz1<LongPayload>, executions: number): Fz1<MemberPayload> => ({
  ...course,
  load: loadFamily,
  executions,
  network: { mode: { type: 'delay', ms: 15 } },
});

const familyCourses: Record<Tier, Fz1<MemberPayload>> = {
  fast: ofFamilies(fast, 8),
  scaled: ofFamilies(scaled, 80),
  full: ofFamilies(full, 340),
};

interface Freeze extends Fault {
  /** Milliseconds since 1970. */
  frozenAt: number;
  thawedAt: number;
  abortedAfterMs: number | null;
  unheard: number;
}

/** Freezes a random worker until others have taken over what it ran, and lets it go on. */
async function freeze({ cluster, fleet, random, log }: Site): Promise<Freeze> {
  const victim = await busyWorker(cluster.engine, fleet, random);
  const hit = await whatRunsIn(cluster.engine, victim.pid);
  victim.freeze();
  const frozenAt = Date.now();
  const frozen = await whatRunsIn(cluster.engine, victim.pid); // what it asked for before may have come
  const begun = await cluster.ledger<{ execution: string }>(
    `select distinct execution from effect where pid = $1`,
    [victim.pid],
  );
  await pause(FROZEN_MS);
  const thawedAt = Date.now();
  victim.thaw();
  const owned = hit.owned.filter(
    (id) => frozen.owned.includes(id) && begun.some(({ execution }) => execution === id),
  );
  const { abortedAfterMs, aborted } = await abortsAfter(victim, owned, thawedAt);
  log(
    `pid ${victim.pid} was frozen with ${owned.length} running; ${aborted} signals, the last ${abortedAfterMs} ms after`,
  );
  const unheard = owned.length - aborted;
  return { workers: hit.workers, owned, frozenAt, thawedAt, abortedAfterMs, unheard };
}

/** Whose invoke was on its way when its process was frozen: the reply lay there until it went on. */
function begunWhileFrozen(freezes: Freeze[], { changes }: History): number {
  return localStarts(changes).filter(({ workerId, at }) =>
    freezes.some(
      ({ workers, frozenAt, thawedAt }) =>
        workers.some(({ id }) => id === workerId) && at > frozenAt && at < thawedAt,
    ),
  ).length;
}

async function runFz1<P>(course: Fz1<P>, { seed, tier, log }: Conditions): Promise<Figures> {
  const { history, faults, problems } = await run(course, new Random(seed), log, async (site) => {
    const freezes: Freeze[] = [];
    while (freezes.length < course.freezes) {
      await pause(site.random.integer(500, 1_000));
      freezes.push(await freeze(site));
    }
    return freezes;
  });
  const aborted = rounded(Math.max(...faults.map(({ abortedAfterMs }) => abortedAfterMs ?? 0)));
  const unheard = faults.reduce((sum, fault) => sum + fault.unheard, 0);
  const starts = startsOf(course.load, history);
  return judge({
    id: 'FZ1',
    seed,
    tier,
    load: `${course.executions} executions of ${course.load.description}`,
    history,
    faults,
    expectedFaults: course.freezes,
    recoveries: [],
    measured: {
      'signals aborted within ms': aborted,
      ...starts.measured,
      ...(course.load.asksFor && { 'began while frozen': begunWhileFrozen(faults, history) }),
    },
    problems,
    timing: [
      ...starts.timing,
      ...missed('attempts that were never told: their number', unheard, 0),
      ...missed('from SIGCONT to the last abort', aborted, ABORTED_WITHIN_MS),
    ],
    log,
  });
}

export const fz1: Hazard = {
  id: 'FZ1',
  title: 'SIGSTOP of a random worker for 1.5 leases, then SIGCONT, 9 times (full: 40 times)',
  run: async (conditions) => [
    await runFz1(courses[conditions.tier], conditions),
    await runFz1(familyCourses[conditions.tier], conditions),
  ],
};
