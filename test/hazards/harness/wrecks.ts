import { setTimeout as pause } from 'node:timers/promises';
import type { FaultPoint } from '../../../lib/conductor.fault-points.js';
import { FAULT_EXIT, type WorkerFaults } from '../worker/settings.js';
import type { atOnce } from './at-once.js';
import type { CopiedDatabases } from './copied-databases.js';
import { readRest } from './history.js';
import { WorkerProcess, type ProcessEnd } from './worker-process.js';

const LOOK_EVERY_MS = 100;

/** On the busiest machine: a lease, the boot and the workflow take 6 s. */
const GIVE_UP_MS = 60_000;

/** Where a process exits. */
export interface Crash {
  point: FaultPoint;
  /** How often it comes there before. */
  time: number;
  /** What it has to meet in order to come there. */
  losesReplyAt?: FaultPoint;
  stopped?: boolean;
}

/** What processes left that crashed one after the other. */
export interface Wreck {
  database: string;
  ends: ProcessEnd[];
  rejections: string[];
  /** Whether the last process came to its point. If not, it did all the work that there was. */
  hit: boolean;
  /** The points that the last process passed. */
  reached: FaultPoint[];
}

/** Runs processes into fault points. What a crash left is kept: many paths begin with it. */
export class Wrecks {
  private readonly known = new Map<string, Promise<Wreck>>();

  constructor(
    private readonly databases: CopiedDatabases,
    /** The file to run. */
    private readonly main: string,
    private readonly base: string,
    private readonly slots: ReturnType<typeof atOnce>,
  ) {}

  /** Each crash in a process of its own that goes on from where the one before it had come. */
  after(path: Crash[]): Promise<Wreck> {
    const key = nameOf(path);
    const known = this.known.get(key) ?? this.make(path);
    this.known.set(key, known);
    return known;
  }

  /** As `after`, but kept for nobody: the database is the caller's. */
  async make(path: Crash[]): Promise<Wreck> {
    if (path.length === 0)
      return { database: this.base, ends: [], rejections: [], hit: true, reached: [] };
    const before = await this.after(path.slice(0, -1));
    return await this.slots(() => this.crash(before, path.at(-1)!));
  }

  /** A process that meets no fault, until nothing is left to do. */
  async undisturbed(): Promise<Wreck> {
    return await this.crash(await this.after([]));
  }

  private async crash(before: Wreck, crash?: Crash): Promise<Wreck> {
    const database = await this.databases.copy(before.database);
    const url = this.databases.url(database);
    const faults: WorkerFaults = { exitAt: crash, losesReplyAt: crash?.losesReplyAt };
    const worker = new WorkerProcess(this.main, {
      engineUrl: url,
      ledgerUrl: url,
      load: 'workflow',
      concurrency: 10,
      faults,
    });
    let over = false;
    void worker.ended.then(() => (over = true));
    // it may exit on its way
    const serving = worker.serve().catch(() => undefined);
    if (crash?.stopped) await serving;
    else await this.databases.using(database, (query) => restOf(query, () => over));
    await worker.shutDown();
    const end = await worker.ended;
    const hit = end.code === FAULT_EXIT;
    return {
      database,
      ends: [...before.ends, { ...end, expected: end.expected || hit }],
      rejections: [...before.rejections, ...worker.rejections],
      hit,
      reached: worker.reached,
    };
  }
}

export function nameOf(path: Crash[]): string {
  return path
    .map(({ point, time }) => (time === 1 ? point : `${point} (${time}.)`))
    .join(', then ');
}

async function restOf(
  engine: Parameters<typeof readRest>[0]['engine'],
  isOver: () => boolean,
): Promise<void> {
  const end = performance.now() + GIVE_UP_MS;
  while (!isOver() && performance.now() < end) {
    const { runs } = await readRest({ engine });
    if (runs.length === 0) return;
    await pause(LOOK_EVERY_MS);
  }
}
