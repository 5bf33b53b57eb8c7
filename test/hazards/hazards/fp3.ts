import { statusCode } from '../../../lib/execution/execution-status.js';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import { deferred } from '../../../lib/common/deferred.js';
import type { Change } from '../harness/audit-trigger.js';
import { run, type Course, type Site } from '../harness/course.js';
import { grouped } from '../harness/history.js';
import { judge } from '../harness/judge.js';
import { whatItHit, whatRunsIn, type Kill } from '../harness/kill.js';
import type { Proxy, ProxyHooks, Verdict } from '../harness/proxy.js';
import { Random } from '../harness/random.js';
import { recoveriesFrom } from '../harness/recovery.js';
import { BATCH_EVERY_MS, loadBatch, type BatchPayload } from '../loads/load-batch.js';
import type { WorkerProcess } from '../harness/worker-process.js';

const BATCH = 500;

const whole: Course<BatchPayload> = {
  load: loadBatch,
  executions: 5_000,
  spanMs: 2_000,
  workers: 2,
  spares: 2,
  concurrency: BATCH,
  fsync: false,
};

const fast: Course<BatchPayload> = { ...whole, executions: 2_500, spares: 1 };

const courses: Record<Tier, Course<BatchPayload>> = { fast, scaled: whole, full: whole };

/** Where the settle is when its process dies. */
const moments: { name: string; verdict: Verdict }[] = [
  { name: 'before the server has it', verdict: 'hold' },
  { name: 'while the server works on it', verdict: 'pass' },
  { name: 'after the commit, before the reply', verdict: 'cutBeforeReply' },
];

/** Kills a process at the moment at which it settles. */
class SettleKiller {
  private armed?: { proxy: Proxy; moment: (typeof moments)[number]; kill: () => void };

  readonly hooks: ProxyHooks = {
    judge: ({ kind, proxy }) => {
      if (kind !== 'settle' || proxy !== this.armed?.proxy) return 'pass';
      const { moment, kill } = this.armed;
      if (moment.verdict !== 'cutBeforeReply') {
        this.armed = undefined;
        setImmediate(kill); // what is passed on goes out first
      }
      return moment.verdict;
    },
    cut: ({ proxy }) => {
      if (proxy !== this.armed?.proxy) return;
      const { kill } = this.armed;
      this.armed = undefined;
      kill();
    },
  };

  /** Resolves when the process is gone. */
  async killIn(victim: WorkerProcess, moment: (typeof moments)[number]): Promise<void> {
    const killed = deferred<void>();
    const kill = () => void victim.kill().then(() => killed.resolve());
    this.armed = { proxy: victim.proxy!, moment, kill };
    await killed.promise;
  }
}

async function killInSettles(
  killer: SettleKiller,
  { cluster, fleet, random, log }: Site,
): Promise<Kill[]> {
  const kills: Kill[] = [];
  for (const moment of moments) {
    const victim = await busyOne(cluster.engine, fleet.serving, random);
    const before = await whatRunsIn(cluster.engine, victim.pid);
    await killer.killIn(victim, moment);
    const at = Date.now();
    const hit = await whatItHit(cluster.engine, victim, at);
    fleet.replace(victim);
    kills.push({ ...hit, owned: before.owned });
    log(
      `killed ${moment.name}: ${before.owned.length} were running, ${hit.owned.length} still are`,
    );
  }
  return kills;
}

async function busyOne(
  query: Site['cluster']['engine'],
  serving: WorkerProcess[],
  random: Random,
): Promise<WorkerProcess> {
  const end = performance.now() + 3 * BATCH_EVERY_MS;
  for (;;) {
    const victim = random.pick(serving);
    const { owned } = await whatRunsIn(query, victim.pid);
    if (owned.length >= BATCH * 0.8 || performance.now() > end) return victim;
  }
}

function largestBatch(changes: Change[]): number {
  const settled = changes.filter(
    ({ subject, statement }) => subject === 'outcome' && statement === 'settle',
  );
  return Math.max(
    0,
    ...[...grouped(settled, ({ txid }) => txid).values()].map((rows) => rows.length),
  );
}

export const fp3: Hazard = {
  id: 'FP3',
  title: 'SIGKILL in the middle of a settle batch of 500: before, during and after its commit',
  async run({ seed, tier, log }: Conditions): Promise<Figures> {
    const course = courses[tier];
    const killer = new SettleKiller();
    const { history, faults, problems } = await run(
      { ...course, network: killer.hooks },
      new Random(seed),
      log,
      (site) => killInSettles(killer, site),
    );
    const again = history.outcomes.reduce((sum, { claims }) => sum + claims - 1, 0);
    const back = history.changes.filter(
      ({ subject, op, oldStatus, status }) =>
        subject === 'run' &&
        op === 'update' &&
        oldStatus === statusCode.running &&
        status === statusCode.pending,
    );
    const batch = largestBatch(history.changes);
    return judge({
      id: 'FP3',
      seed,
      tier,
      load: `${course.executions} executions of ${loadBatch.description}`,
      history,
      faults,
      expectedFaults: moments.length,
      recoveries: recoveriesFrom(faults, history),
      measured: { 'largest settle': batch, 'executed again': again },
      problems: [
        ...problems,
        ...(again === back.length
          ? []
          : [`${again} executions ran again, but ${back.length} had been given back`]),
      ],
      timing:
        batch < BATCH * 0.8 ? [`does not count: the largest settle had ${batch} outcomes`] : [],
      log,
    });
  },
};
