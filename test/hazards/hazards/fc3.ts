import { setTimeout as pause } from 'node:timers/promises';
import { statusCode } from '../../../lib/execution/execution-status.js';
import { claimRow } from '../../../lib/persistence/sql/claim.js';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import type { Change } from '../harness/audit-trigger.js';
import { run, type Course, type Fault } from '../harness/course.js';
import { judge, missed, rounded } from '../harness/judge.js';
import type { CutReply, ProxyHooks } from '../harness/proxy.js';
import { startsOf } from '../harness/local-starts.js';
import { Random } from '../harness/random.js';
import { percentile } from '../harness/recovery.js';
import { loadA, type OrderPayload } from '../loads/load-a.js';
import { loadFamily, type MemberPayload } from '../loads/load-family.js';
import { BEAT_MS } from '../worker/settings.js';

const SHARE = 0.02;
const SHARE_OF_CLAIMS = 0.2;
/** Of the handlers' own. */
const SHARE_OF_INVOKES = 0.2;

/** Two beats in a row have to find an orphan. Each beat's reply may be cut as well, which costs another beat; the rest is
 *  the round trips of a busy machine. */
const FOUND_WITHIN_MS = 2 * BEAT_MS + BEAT_MS + 200;

const scaled: Course<OrderPayload> = {
  load: loadA,
  executions: 2_000,
  spanMs: 25_000,
  workers: 3,
  spares: 0,
  concurrency: 10,
  fsync: false,
  clientThroughProxy: true, // enqueue is one of the statements
};

const fast: Course<OrderPayload> = { ...scaled, executions: 300, spanMs: 5_000 };

const full: Course<OrderPayload> = { ...scaled, executions: 10_000, spanMs: 90_000 };

const courses: Record<Tier, Course<OrderPayload>> = { fast, scaled, full };

const ofFamilies = (course: Course<OrderPayload>, executions: number): Course<MemberPayload> => ({
  ...course,
  load: loadFamily,
  executions,
  clientThroughProxy: false,
});

const familyCourses: Record<Tier, Course<MemberPayload>> = {
  fast: ofFamilies(fast, 8),
  scaled: ofFamilies(scaled, 60),
  full: ofFamilies(full, 250),
};

async function runFc3<P>(
  course: Course<P>,
  shareOfInvokes: number,
  { seed, tier, log }: Conditions,
): Promise<Figures> {
  const shares: Record<string, number> = { claim: SHARE_OF_CLAIMS, enqueue: shareOfInvokes };
  const random = new Random(seed);
  const chances = random.branch();
  const cuts: CutReply[] = [];
  let on = false;
  const network: ProxyHooks = {
    judge: ({ kind }) => (on && chances.chance(shares[kind] ?? SHARE) ? 'cutBeforeReply' : 'pass'),
    cut: (reply) => void cuts.push(reply),
  };
  const { history, faults, problems } = await run(
    { ...course, network },
    random,
    log,
    async (): Promise<Fault[]> => {
      on = true;
      await pause(course.spanMs);
      on = false;
      return cuts
        .filter(({ committed }) => committed)
        .filter(changedSomething)
        .map(faultOf);
    },
  );
  const found = orphansFound(history.changes);
  const orphanP99Ms = rounded(percentile(found, 0.99));
  for (const [kind, count] of countByKind(cuts)) log(`${count} replies to ${kind} were cut`);
  const starts = startsOf(course.load, history);
  return judge({
    id: 'FC3',
    seed,
    tier,
    load: `${course.executions} executions of ${course.load.description}`,
    history,
    faults,
    expectedFaults: course.executions / 20,
    recoveries: [],
    measured: {
      ...starts.measured,
      'claims lost': found.length,
      'found again p50 ms': rounded(percentile(found, 0.5)),
      'found again p99 ms': orphanP99Ms,
      'found again max ms': rounded(percentile(found, 1)),
    },
    problems,
    timing: [
      ...starts.timing,
      ...missed('what lost claims had claimed: found again p99', orphanP99Ms, FOUND_WITHIN_MS),
      ...unhit(cuts),
    ],
    log,
  });
}

export const fc3: Hazard = {
  id: 'FC3',
  title: 'replies cut after the commit: 20 % of claims, 2 % of every other statement',
  run: async (conditions) => [
    await runFc3(courses[conditions.tier], SHARE, conditions),
    await runFc3(familyCourses[conditions.tier], SHARE_OF_INVOKES, conditions),
  ],
};

/** A claim that found nothing, or a beat, loses nothing with its reply. */
function changedSomething({ kind, rows }: CutReply): boolean {
  return kind === 'claim'
    ? rows.includes(String(claimRow.at))
    : ['save_steps', 'settle', 'enqueue', 'release_orphans'].includes(kind);
}

function faultOf({ kind, rows }: CutReply): Fault {
  return { workers: [], owned: rows.length > 0 ? rows.map(String) : [kind] };
}

/** From each claim whose reply was lost until its execution could be claimed again. */
function orphansFound(changes: Change[]): number[] {
  const claimedAt = new Map<string, number>();
  return changes.flatMap(({ subject, statement, execution, status, at }) => {
    if (subject !== 'run') return [];
    if (status === statusCode.running && statement !== 'start_alone') claimedAt.set(execution, at);
    return statement === 'release_orphans' ? [at - claimedAt.get(execution)!] : [];
  });
}

function countByKind(cuts: CutReply[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { kind } of cuts) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function unhit(cuts: CutReply[]): string[] {
  const hit = new Set(cuts.map(({ kind }) => kind));
  return ['claim', 'save_steps', 'settle', 'enqueue', 'heartbeat']
    .filter((kind) => !hit.has(kind))
    .map((kind) => `no reply to ${kind} was cut`);
}
