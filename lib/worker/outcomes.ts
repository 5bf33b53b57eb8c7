import { LeaseLostError } from '../errors/lease-lost.error.js';
import { decode, decodeParsed } from '../execution/codec.js';
import { deserializeError, type SerializedError } from '../execution/serialized-error.js';
import type { RecordWrite, StepRecord } from '../execution/step-record.js';
import type { StepTransaction } from '../persistence/step-transaction.js';
import { recordOf, type Ask } from './ask.js';
import type { Asks } from './asks.js';
import type { JournalPorts } from './journal-ports.js';
import { Outbox, type OutboxEntry } from './outbox.js';

/** Whom outcomes on their way tell what becomes of them. */
export interface OutcomePorts {
  /** Whether to go on looking for a COMMIT without an answer. */
  goesOn(): boolean;
  lost(): void;
  /** What a transactional body wrote could not be committed. */
  uncommitted(ask: Ask, error: unknown): void;
  /** A wait could not be stored. @returns whether it was still going on, and is not any more */
  dropWait(ask: Ask): boolean;
  /** Something can be delivered, or a write is over. */
  changed(): void;
}

/** Outcomes on their way to the handler: each gets its place and is stored, and is then ready to be delivered, one by one. */
export class Outcomes {
  private readonly outbox: Outbox;
  private ready: (() => void)[] = [];

  constructor(
    private readonly asks: Asks,
    world: Pick<JournalPorts, 'save'>,
    private readonly ports: OutcomePorts,
    nextSeq: number,
    /** What to store with the first write. */
    unsaved: RecordWrite[],
  ) {
    this.outbox = new Outbox(
      nextSeq,
      unsaved,
      (records) => world.save(records),
      (error, entries) => this.writeFailed(error, entries),
      () => ports.changed(),
    );
  }

  /** Whether nothing is on its way. */
  get idle(): boolean {
    return this.outbox.idle && this.ready.length === 0;
  }

  /** Gives the next one to the handler when it is called. */
  next(): (() => void) | undefined {
    return this.ready.shift();
  }

  /** What a body returned.
   *  @param value JSON text
   *  @param transaction what it wrote, to be committed with the record */
  result(ask: Ask, value: string, transaction?: StepTransaction): void {
    this.outbox.push({
      record: recordOf(ask, 'completed', value),
      durable: true,
      commit: transaction && ((records) => transaction.commit(records, () => this.ports.goesOn())),
      dropped: transaction && (() => void transaction.rollback()),
      // decoded also on the first run: what a handler compares must be the same on a replay
      deliver: () => this.ready.push(() => this.asks.resolve(ask, decode(value))),
    });
  }

  /** What a body threw.
   *  @param stored JSON text
   *  @param seen as the handler gets it */
  error(ask: Ask, stored: string, seen: Error): void {
    this.observe(recordOf(ask, 'failed', stored), () => this.asks.reject(ask, seen));
  }

  /** What it waits for does not come any more, and nothing is recorded of it. */
  refused(ask: Ask, error: Error): void {
    ask.reply?.promise.catch(() => undefined); // nobody may be waiting for it yet
    this.ready.push(() => this.asks.reject(ask, error));
  }

  /** The time of a sleep has come. */
  awake(ask: Ask): void {
    const { name, kind } = ask;
    this.observe({ name, kind, status: 'completed', alone: true, tries: 0 }, () =>
      this.asks.resolve(ask, undefined),
    );
  }

  /** A patch that nothing recorded contradicts. Whatever depends on it is stored after it; without any of that it would come to the same
   *  again, so it needs no write of its own. */
  patched(ask: Ask): void {
    this.observe(recordOf(ask, 'completed', 'true'), () => this.asks.resolve(ask, true));
  }

  /** An earlier attempt saw it after an error that is forgotten. This attempt sees it in a place of its own, which a replay has
   *  to keep: delivered whenever it was asked for, it overtook what this attempt had recorded. */
  again(ask: Ask, record: StepRecord): void {
    this.observe(recordOf(ask, record.status), () => this.recorded(ask, record));
  }

  /** Gives what was recorded to the handler, now. */
  recorded(ask: Ask, { status, kind, value }: StepRecord): void {
    if (status === 'failed') this.asks.reject(ask, deserializeError(value as SerializedError));
    else this.asks.resolve(ask, kind === 'sleep' ? undefined : decodeParsed(value));
  }

  /** Stores waits that go on beside a running body. */
  store(waits: RecordWrite[]): void {
    for (const record of waits)
      this.outbox.push({ record, durable: true, deliver: () => undefined });
  }

  /** For a statement that stores them itself. */
  takeUnsaved(): RecordWrite[] {
    return this.outbox.takeUnsaved();
  }

  /** The write that is in flight, if one is. Never rejects. */
  get writing(): Promise<void> | undefined {
    return this.outbox.writing;
  }

  /** Nothing more is written or delivered. */
  close(): void {
    this.outbox.close();
    this.ready = [];
  }

  private observe(record: RecordWrite, deliver: () => void): void {
    this.outbox.push({ record, durable: false, deliver: () => this.ready.push(deliver) });
  }

  private writeFailed(error: unknown, entries: OutboxEntry[]): void {
    if (error instanceof LeaseLostError) return this.ports.lost();
    for (const { record } of entries) {
      const ask = this.asks.get(record.name);
      if (ask === undefined) continue;
      const isWait = record.status === 'open';
      if (isWait && !this.ports.dropWait(ask)) continue; // what comes of it has its place behind this write
      if (ask.transactional && !isWait) this.ports.uncommitted(ask, error);
      else this.ready.push(() => this.asks.reject(ask, error));
    }
  }
}
