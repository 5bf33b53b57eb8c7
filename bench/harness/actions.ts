import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, Place, Subject, Work } from '../subjects/subject.js';
import { Ledger } from './ledger.js';
import { now } from './now.js';
import { roundTrips, timesOf } from './round-trips.js';

/** Jobs in one bulk call, for every subject. */
export const BULK = 1_000;
/** How often it is asked whether the last completions are stored. */
const DRAINED_PAUSE_MS = 2;
/** A subject that ran every job but never says that they have ended. */
const DRAINED_WITHIN_MS = 20_000;
/** An open-loop load comes in bursts of this time. */
const OFFER_EVERY_MS = 10;

/** What a worker's process has used. */
export interface Used {
  /** User and system, of all its threads. */
  cpuMs: number;
  /** Statements that it sent. */
  roundTrips: number;
}

export interface Drained extends Used {
  /** From the worker's start until every job has ended, durably; or until the cap. */
  ms: number;
  /** Handlers that ran. */
  ran: number;
  /** Whether all were done within the cap. */
  finished: boolean;
}

export interface Jobs {
  work: Work;
  count: number;
  /** Steps of each. */
  steps?: number;
}

/** What the parent asks of a subject's process: one argument and one result each, and one call after the other. */
export class Actions {
  private ledger = new Ledger(0);

  constructor(private readonly subject: Subject) {}

  async open(place: Place): Promise<void> {
    await this.subject.open(place);
  }

  /** Accepts jobs in bulk, one call after the other.
   *  @returns how long it took, in ms */
  async load({ work, count, steps, first = 0 }: Jobs & { first?: number }): Promise<number> {
    const began = now();
    for (let done = 0; done < count; done += BULK) {
      const jobs = Array.from({ length: Math.min(BULK, count - done) }, (_, index) =>
        jobOf(first + done + index, steps),
      );
      await this.subject.enqueue(work, jobs);
    }
    return now() - began;
  }

  /** Some jobs that are not measured: code is compiled, plans are cached, connections are open. */
  async warmUp(jobs: Jobs): Promise<void> {
    await this.load(jobs);
    const { finished } = await this.drain({ expected: jobs.count, capMs: 30_000 });
    if (!finished) throw new Error(`the ${jobs.count} jobs to warm up did not end`);
  }

  /** Starts the worker, and stops it when all is done. */
  async drain({ expected, capMs }: { expected: number; capMs: number }): Promise<Drained> {
    this.ledger = new Ledger(expected);
    const use = this.startUse();
    const began = now();
    await this.subject.start(this.ledger.note);
    const ran = await this.ledger.reaches(expected, capMs);
    const finished = ran >= expected && (await this.isDrained());
    const ms = now() - began;
    const used = use();
    await this.subject.stop();
    return { ms, ran, finished, ...used };
  }

  /** Starts the worker; each of so many jobs is expected once. */
  async start({ expected }: { expected: number }): Promise<void> {
    this.ledger = new Ledger(expected);
    await this.subject.start(this.ledger.note);
  }

  /** Resolves when so many jobs have run here, or the cap is reached, with their number. */
  async ran({ total, capMs }: { total: number; capMs: number }): Promise<number> {
    return await this.ledger.reaches(total, capMs);
  }

  /** Resolves when every accepted job has ended, durably, or false when that takes too long. */
  async isDrained(patienceMs = DRAINED_WITHIN_MS): Promise<boolean> {
    const until = now() + patienceMs;
    while (!(await this.subject.isDrained())) {
      if (now() > until) return false;
      await sleep(DRAINED_PAUSE_MS);
    }
    return true;
  }

  async stop(): Promise<void> {
    await this.subject.stop();
  }

  /** Callers that each invoke one job after the other, for a time. */
  async invoke({
    work,
    callers,
    ms,
  }: {
    work: Work;
    callers: number;
    ms: number;
  }): Promise<{ accepted: number; ms: number } & Used> {
    const use = this.startUse();
    const began = now();
    let next = 0;
    const caller = async () => {
      while (now() - began < ms) await this.subject.invoke(work, jobOf(next++));
    };
    await Promise.all(Array.from({ length: callers }, caller));
    return { accepted: next, ms: now() - began, ...use() };
  }

  /** Jobs one by one, with pauses that leave the system idle; each says when it was asked for. */
  async ping({ work, count, pauseMs }: { work: Work; count: number; pauseMs: number }) {
    for (let n = 0; n < count; n += 1) {
      await this.subject.invoke(work, { n, at: now() });
      await sleep(pauseMs * (0.5 + Math.random())); // in step with nobody's timer
    }
  }

  /** Jobs at a rate, whether or not they are done; each says when it was asked for.
   *  @returns how many were accepted, and how long that took in ms */
  async offer({
    work,
    perSecond,
    ms,
  }: {
    work: Work;
    perSecond: number;
    ms: number;
  }): Promise<{ accepted: number; ms: number }> {
    const began = now();
    const calls: Promise<void>[] = [];
    let asked = 0;
    while (now() - began < ms) {
      const due = Math.floor(((now() - began) / 1e3) * perSecond);
      if (due > asked) {
        const at = now();
        const jobs = Array.from({ length: due - asked }, (_, index) => ({ n: asked + index, at }));
        asked = due;
        calls.push(this.subject.enqueue(work, jobs));
      }
      await sleep(OFFER_EVERY_MS);
    }
    await Promise.all(calls);
    return { accepted: asked, ms: now() - began };
  }

  /** What it uses while there is nothing to do. */
  async idle({ ms }: { ms: number }): Promise<Used> {
    const use = this.startUse();
    await sleep(ms);
    return use();
  }

  /** After a garbage collection, in bytes. */
  async memory(): Promise<{ rss: number; heap: number }> {
    for (let turn = 0; turn < 3; turn += 1) {
      globalThis.gc!();
      await sleep(100);
    }
    const { rss, heapUsed } = process.memoryUsage();
    return { rss, heap: heapUsed };
  }

  /** From the asking to the handler, in ms. */
  async latencies(): Promise<number[]> {
    return this.ledger.latencies;
  }

  /** What the handlers have measured themselves. */
  async notes(): Promise<Record<string, number>[]> {
    return this.ledger.notes;
  }

  /** How long the statements took, since this was asked last, that call a function with this in its name; in ms. */
  async statementTimes(name: string): Promise<number[]> {
    return timesOf(name);
  }

  /** How often each job ran in this process. */
  async runs(): Promise<Uint8Array> {
    return this.ledger.runs;
  }

  async accepted(): Promise<number | undefined> {
    return await this.subject.accepted?.();
  }

  async completed(): Promise<number | undefined> {
    return await this.subject.completed?.();
  }

  async close(): Promise<void> {
    await this.subject.close();
  }

  private startUse(): () => Used {
    const cpu = process.cpuUsage();
    const sent = roundTrips();
    return () => {
      const { user, system } = process.cpuUsage(cpu);
      return { cpuMs: (user + system) / 1e3, roundTrips: roundTrips() - sent };
    };
  }
}

function jobOf(n: number, steps?: number): Job {
  return steps === undefined ? { n } : { n, steps };
}
