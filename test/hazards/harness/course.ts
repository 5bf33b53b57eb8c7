import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { installAudit } from './audit-trigger.js';
import { openClient, type Client } from './client.js';
import { Cluster, type ClusterOptions } from './cluster.js';
import { feed } from './feed.js';
import { Fleet, type FleetSize } from './fleet.js';
import { readRecords, readRest, type History, type Rest } from './history.js';
import { createLedger } from './ledger.js';
import type { Load, Planned } from './load.js';
import { Proxy, type ProxyHooks } from './proxy.js';
import type { Random } from './random.js';
import type { ProcessEnd } from './worker-process.js';
import { buildWorker } from './worker-build.js';

/** Of a run that does not say. */
const CONVERGE_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 100;

/** What a run is made of, beside its faults. */
export interface Course<P> extends ClusterOptions, FleetSize {
  load: Load<P>;
  executions: number;
  /** How long the fault phase lasts; the executions are asked for evenly over it. */
  spanMs: number;
  /** Executions that each worker runs at once. */
  concurrency: number;
  poolSize?: number;
  /** How long everything may take to come to rest, once the faults are over. */
  convergeWithinMs?: number;
  listen?: boolean;
  network?: ProxyHooks;
  /** Whether the client goes through a proxy as well. */
  clientThroughProxy?: boolean;
  nodeOptions?: string[];
  /** Ends of processes that are part of the fault, without the controller's own doing. */
  expectsEnd?: (end: ProcessEnd) => boolean;
}

export interface Fault {
  /** Numbers, in the database, of the workers that may lose their lease by it. */
  workers: { id: number }[];
  /** Executions that were running where it hit. */
  owned: string[];
}

/** Where faults are injected. */
export interface Site {
  cluster: Cluster;
  fleet: Fleet;
  random: Random;
  log: (line: string) => void;
}

export interface Ran<F> {
  history: History;
  faults: F[];
  /** What kept the run from taking its course. */
  problems: string[];
}

/** Two phases: faults while the load is fed, then none, until everything has come to rest. */
export async function run<P, F extends Fault>(
  course: Course<P>,
  random: Random,
  log: (line: string) => void,
  inject: (site: Site) => Promise<F[]>,
): Promise<Ran<F>> {
  const { load, executions, spanMs, workers, spares, concurrency, poolSize, listen } = course;
  const { network, nodeOptions, expectsEnd = () => false } = course;
  const { convergeWithinMs = CONVERGE_WITHIN_MS } = course;
  const plan = load.plan(executions, random.branch());
  const build = await buildWorker();
  const cluster = await Cluster.open(course);
  const { engineUrl, ledgerUrl } = cluster;
  const fleet = new Fleet(
    { workers, spares },
    build.main,
    { engineUrl, ledgerUrl, load: load.id, concurrency, poolSize, listen },
    { network, nodeOptions },
  );
  const clientProxy = course.clientThroughProxy ? new Proxy(engineUrl, network) : undefined;
  let client: Client | undefined;
  try {
    client = await openClient(clientProxy?.url ?? engineUrl);
    await installAudit(cluster.engine);
    await createLedger(cluster.ledger);
    await createLedger(cluster.engine);
    await fleet.ready();
    log(`${workers} workers are up; ${executions} executions follow over ${spanMs / 1_000} s`);
    // it does next to nothing: what holds it up is the machine, and holds up the workers' heartbeats too
    const delay = monitorEventLoopDelay();
    delay.enable();
    const site = { cluster, fleet, random: random.branch(), log };
    const [fed, faults] = await Promise.all([
      feed(client.conductor, load, plan, spanMs),
      inject(site),
    ]);
    delay.disable();
    const heldUpMs = Math.round(delay.max / 1e6);
    log(
      `${fed.accepted.length} are accepted, the faults are over; ` +
        `the machine held up this process for at most ${heldUpMs} ms`,
    );
    await fleet.ready();
    const converged = await converge(cluster, fleet, convergeWithinMs);
    log(converged ? 'all is at rest' : 'gave up waiting for rest');
    const rest = await readRest(cluster);
    const livePids = fleet.pids;
    await fleet.shutDown();
    const { rejections } = fleet;
    await client.close();
    client = undefined;
    return {
      faults,
      history: {
        load,
        accepted: withWhatTheyAskFor(load, fed.accepted),
        ...(await readRecords(cluster)),
        heldUpMs,
        rest,
        livePids,
        hitWorkers: faults.flatMap((fault) => fault.workers.map(({ id }) => id)),
        deadlocks: await cluster.deadlocks(),
        ends: (await fleet.ends()).map((end) => ({
          ...end,
          expected: end.expected || expectsEnd(end),
        })),
        rejections,
      },
      problems: [
        ...fed.refused.map((refusal) => `invoke refused: ${refusal}`),
        ...(converged ? [] : [`did not converge within ${convergeWithinMs / 1_000} s`]),
      ],
    };
  } finally {
    await fleet.killAll();
    await fleet.closeNetwork();
    await client?.close();
    await clientProxy?.close();
    await cluster.close();
    await build.remove();
  }
}

function withWhatTheyAskFor<P>(load: Load<P>, accepted: Planned<P>[]): Planned<P>[] {
  return accepted.flatMap((planned) => [
    planned,
    ...withWhatTheyAskFor(load, load.asksFor?.(planned.payload) ?? []),
  ]);
}

/** Whether all work ended and every dead worker was struck off in time. */
async function converge(cluster: Cluster, fleet: Fleet, withinMs: number): Promise<boolean> {
  const end = performance.now() + withinMs;
  while (performance.now() < end) {
    if (isAtRest(await readRest(cluster), fleet)) return true;
    await pause(LOOK_EVERY_MS);
  }
  return false;
}

function isAtRest({ runs, workers }: Rest, { pids }: Fleet): boolean {
  return runs.length === 0 && workers.every(({ pid }) => pids.includes(pid));
}
