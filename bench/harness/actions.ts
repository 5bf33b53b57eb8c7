import { setTimeout as sleep } from 'node:timers/promises';
import type { Place, Subject, Work } from '../subjects/subject.js';
import { Ledger } from './ledger.js';
import { now } from './now.js';
import { roundTrips } from './round-trips.js';

const BULK = 1_000;
/** How often it is asked whether the last completions are stored. */
const DRAINED_PAUSE_MS = 2;
/** A subject that runs every job but never says that they have ended. */
const DRAINED_WITHIN_MS = 20_000;

export interface Drained {
  /** From the worker's start until every job has ended, durably; or until the cap. */
  ms: number;
  /** Handlers that ran. */
  ran: number;
  /** Whether all were done within the cap. */
  finished: boolean;
  /** Of this process, user and system. */
  cpuMs: number;
  /** Statements that this process sent. */
  roundTrips: number;
}

/** What the parent asks of a subject's process, each with one structured argument and result. */
export class Actions {
  private ledger = new Ledger(0);

  constructor(private readonly subject: Subject) {}

  async open(place: Place): Promise<void> {
    await this.subject.open(place);
  }

  /** Accepts jobs of which each is expected once. */
  async load({
    work,
    count,
    steps,
  }: {
    work: Work;
    count: number;
    steps?: number;
  }): Promise<number> {
    const began = now();
    for (let first = 0; first < count; first += BULK) {
      const jobs = Array.from({ length: Math.min(BULK, count - first) }, (_, index) => ({
        n: first + index,
        ...(steps !== undefined && { steps }),
      }));
      await this.subject.enqueue(work, jobs);
    }
    return now() - began;
  }

  /** Some jobs that are not measured: code is compiled, plans are cached, connections are open. */
  async warmUp({
    work,
    count,
    steps,
  }: {
    work: Work;
    count: number;
    steps?: number;
  }): Promise<void> {
    await this.load({ work, count, steps });
    await this.drain({ expected: count, capMs: 30_000 });
  }

  async drain({ expected, capMs }: { expected: number; capMs: number }): Promise<Drained> {
    this.ledger = new Ledger(expected);
    const cpu = process.cpuUsage();
    const sent = roundTrips();
    const began = now();
    await this.subject.start(this.ledger.note);
    const ran = await this.ledger.reaches(expected, capMs);
    const finished = ran >= expected && (await this.untilDrained());
    const ms = now() - began;
    const { user, system } = process.cpuUsage(cpu);
    const drained = { ms, ran, finished, cpuMs: (user + system) / 1e3 };
    const statements = roundTrips() - sent;
    await this.subject.stop();
    return { ...drained, roundTrips: statements };
  }

  /** How often each job ran in this process. */
  async runs(): Promise<Uint8Array> {
    return this.ledger.runs;
  }

  async completed(): Promise<number | undefined> {
    return await this.subject.completed?.();
  }

  async close(): Promise<void> {
    await this.subject.close();
  }

  private async untilDrained(): Promise<boolean> {
    const until = now() + DRAINED_WITHIN_MS;
    while (!(await this.subject.isDrained())) {
      if (now() > until) return false;
      await sleep(DRAINED_PAUSE_MS);
    }
    return true;
  }
}
