import { setTimeout as pause } from 'node:timers/promises';
import type { Conditions, Figures, Hazard, Tier } from '../hazard.js';
import { beatAfter } from '../harness/beats.js';
import { run, type Course, type Fault, type Site } from '../harness/course.js';
import { judge, missed, rounded } from '../harness/judge.js';
import { busyWorker, whatRunsIn } from '../harness/kill.js';
import { Random } from '../harness/random.js';
import { loadA, type OrderPayload } from '../loads/load-a.js';
import { LEASE_MS } from '../worker/settings.js';

/** What the engine gives a query, which is what the listener asks its own socket every 10 s, with a second for this machine. */
const REPLACED_WITHIN_MS = 10_000 + 15_000 + 1_000;

/** A beat gives up after a third of the lease and is sent again on another connection. */
const BEATS_WITHIN_MS = LEASE_MS;

interface Fc2 extends Course<OrderPayload> {
  darkMs: number[];
}

const scaled: Fc2 = {
  load: loadA,
  executions: 2_000,
  spanMs: 35_000,
  workers: 3,
  spares: 0,
  concurrency: 10,
  fsync: false,
  network: {},
  darkMs: [1_000, 5_000],
};

const fast: Fc2 = { ...scaled, executions: 200, spanMs: 5_000, darkMs: [1_000] };

const full: Fc2 = {
  ...scaled,
  executions: 2_500,
  spanMs: 90_000,
  darkMs: [...scaled.darkMs, 30_000],
};

const courses: Record<Tier, Fc2> = { fast, scaled, full };

interface Dark extends Fault {
  darkMs: number;
  /** From the end of the darkness until its lease was renewed, and until the last dead connection was given up. */
  beatsAfterMs: number;
  replacedAfterMs: number;
}

/** All that one worker sends and is sent vanishes for a time; connections that lost something stay dead after it. */
async function darken({ cluster, fleet, random, log }: Site, darkMs: number): Promise<Dark> {
  const victim = await busyWorker(cluster.engine, fleet, random);
  const proxy = victim.proxy!;
  proxy.mode = { type: 'blackhole', direction: 'both' };
  const hit = await whatRunsIn(cluster.engine, victim.pid);
  await pause(darkMs);
  const halfOpen = proxy.halfOpen;
  proxy.mode = { type: 'pass' };
  const lightAt = Date.now();
  const beating = beatAfter(cluster.engine, victim.pid, lightAt);
  while (proxy.halfOpen > 0) await pause(20);
  const replacedAfterMs = Date.now() - lightAt;
  const beatsAfterMs = await beating;
  log(
    `${darkMs} ms of darkness with ${hit.owned.length} running, ${halfOpen} half-open: ` +
      `beats ${Math.round(beatsAfterMs)} ms after it, all replaced ${replacedAfterMs} ms after it`,
  );
  return { ...hit, darkMs, beatsAfterMs, replacedAfterMs };
}

export const fc2: Hazard = {
  id: 'FC2',
  title: 'one worker’s sockets half-open: everything vanishes for 1 s, then 5 s (full: 30 s)',
  async run({ seed, tier, log }: Conditions): Promise<Figures> {
    const course = courses[tier];
    const { history, faults, problems } = await run(course, new Random(seed), log, async (site) => {
      const darks: Dark[] = [];
      for (const darkMs of course.darkMs) {
        await pause(1_000);
        darks.push(await darken(site, darkMs));
      }
      return darks;
    });
    const worst = (of: (dark: Dark) => number) => rounded(Math.max(...faults.map(of)));
    const beats = worst(({ beatsAfterMs }) => beatsAfterMs);
    const replaced = worst(({ replacedAfterMs }) => replacedAfterMs);
    return judge({
      id: 'FC2',
      seed,
      tier,
      load: `${course.executions} executions of ${loadA.description}`,
      history,
      faults,
      expectedFaults: course.darkMs.length,
      recoveries: [],
      measured: { 'beats again within ms': beats, 'sockets replaced within ms': replaced },
      problems,
      timing: [
        ...missed('the first heartbeat after the darkness', beats, BEATS_WITHIN_MS),
        ...missed('the last dead socket’s end', replaced, REPLACED_WITHIN_MS),
      ],
      log,
    });
  },
};
