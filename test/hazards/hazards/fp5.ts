import { setTimeout as pause } from 'node:timers/promises';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import { run, type Course, type Site } from '../harness/course.js';
import { judge } from '../harness/judge.js';
import { killWorkers, whatItHit, type Kill } from '../harness/kill.js';
import { Random } from '../harness/random.js';
import { recoveriesFrom } from '../harness/recovery.js';
import { loadA, loadLastAttempt, type OrderPayload } from '../loads/load-a.js';

interface Fp5 {
  lastAttempt: Course<OrderPayload>;
  kills: number;
  allAtOnce: Course<OrderPayload>;
  rounds: number;
}

const lastAttempt: Course<OrderPayload> = {
  load: loadLastAttempt,
  executions: 500,
  spanMs: 8_000,
  workers: 3,
  spares: 3,
  concurrency: 10,
  fsync: false,
};

const allAtOnce: Course<OrderPayload> = {
  ...lastAttempt,
  load: loadA,
  executions: 2_000,
  spanMs: 20_000,
};

const whole: Fp5 = { lastAttempt, kills: 4, allAtOnce, rounds: 3 };

const fast: Fp5 = {
  lastAttempt: { ...lastAttempt, executions: 100, spanMs: 4_000, spares: 2 },
  kills: 2,
  allAtOnce: { ...allAtOnce, executions: 200, spanMs: 5_500 },
  rounds: 1,
};

const courses: Record<Tier, Fp5> = { fast, scaled: whole, full: whole };

/** Kills every worker at the same moment; spares take their places at once. */
async function killAllAtOnce({ cluster, fleet, log }: Site, rounds: number): Promise<Kill[]> {
  const kills: Kill[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    await pause(5_000);
    await fleet.ready(); // spares, too: three boots at once take this machine seconds
    const victims = [...fleet.workers];
    const at = Date.now();
    await Promise.all(victims.map((victim) => victim.kill()));
    // read before the first replacement: it may recover what is to be read
    const hits = await Promise.all(victims.map((victim) => whatItHit(cluster.engine, victim, at)));
    for (const victim of victims) fleet.replace(victim);
    kills.push(...hits);
    log(`all workers killed, ${hits.map(({ owned }) => owned.length).join(' + ')} running`);
  }
  return kills;
}

/** How many of the executions that a kill hit had only their last attempt left. */
async function onLastAttempt({ cluster, log }: Site, kills: Kill[]): Promise<void> {
  const [row] = await cluster.engine<{ count: number }>(
    `select (select count(*) from conductor.run where id = any($1) and failures = 2)
          + (select count(*) from conductor.outcome where id = any($1) and losses > 0 and failures = 2) as count`,
    [kills.flatMap(({ owned }) => owned)],
  );
  log(`${row!.count} of those that were hit had failed twice`);
}

export const fp5: Hazard = {
  id: 'FP5',
  title: 'SIGKILL on the last attempt, 4 times; SIGKILL of all workers at once, 3 times',
  async run({ seed, tier, log }: Conditions): Promise<Figures[]> {
    const course = courses[tier];
    const last = await run(course.lastAttempt, new Random(seed), log, async (site) => {
      const { cluster, fleet, random } = site;
      const plan = { count: course.kills, pauseMs: [1_500, 2_000] as [number, number] };
      const kills = await killWorkers(cluster, fleet, plan, random, log);
      await onLastAttempt(site, kills);
      return kills;
    });
    const all = await run(course.allAtOnce, new Random(seed), log, (site) =>
      killAllAtOnce(site, course.rounds),
    );
    return [
      judge({
        id: 'FP5',
        seed,
        tier,
        load: `${course.lastAttempt.executions} executions of ${loadLastAttempt.description}`,
        history: last.history,
        faults: last.faults,
        expectedFaults: course.kills,
        recoveries: recoveriesFrom(last.faults, last.history),
        problems: last.problems,
        log,
      }),
      judge({
        id: 'FP5',
        seed,
        tier,
        load: `all workers at once; ${course.allAtOnce.executions} executions of ${loadA.description}`,
        history: all.history,
        faults: all.faults,
        expectedFaults: course.rounds * allAtOnce.workers,
        recoveries: recoveriesFrom(all.faults, all.history),
        problems: all.problems,
        log,
      }),
    ];
  },
};
