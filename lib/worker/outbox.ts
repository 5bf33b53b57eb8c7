import type { RecordWrite } from '../execution/step-record.js';

/** Something that the handler is to see. */
export interface OutboxEntry {
  record: RecordWrite;
  /** Whether the handler sees it only once it is stored. An observation (a wait's outcome, a step's error) is seen at once
   *  and stored by the next write: nothing durable depends on it, so a crash may lose it. */
  durable: boolean;
  deliver: () => void;
  /** Of a transactional step: commits its transaction, with the records in it. A write of its own. */
  commit?: (records: RecordWrite[]) => Promise<void>;
  /** It will not be written. */
  dropped?: () => void;
}

/** One execution's outcomes on their way to the database: first in, first out, one write in flight. So the order of commits,
 *  the sequence numbers and the order the handler sees are the same; crossing replies or overtaking observations changed the
 *  winners of races after a crash in 123 of 600 random runs, and in none with this rule. */
export class Outbox {
  private queue: OutboxEntry[] = [];
  /** The write that is in flight. Never rejects. */
  writing?: Promise<void>;

  constructor(
    private nextSeq: number,
    /** What goes with the next write. */
    private unsaved: RecordWrite[],
    /** Rejects when the lease is lost or the content is refused. */
    private readonly write: (records: RecordWrite[]) => Promise<void>,
    private readonly failed: (error: unknown, entries: OutboxEntry[]) => void,
    /** A write is over. */
    private readonly over: () => void,
  ) {}

  get idle(): boolean {
    return this.queue.length === 0 && this.writing === undefined;
  }

  /** Gives the outcome its place. What stays open has none. */
  push(entry: OutboxEntry): void {
    if (entry.record.status !== 'open') entry.record.seq = this.nextSeq++;
    this.queue.push(entry);
    this.advance();
  }

  /** For a statement that stores them itself. */
  takeUnsaved(): RecordWrite[] {
    return this.unsaved.splice(0);
  }

  /** Nothing more is written or delivered. */
  close(): void {
    for (const entry of this.queue.splice(0)) entry.dropped?.();
    this.unsaved = [];
  }

  private advance(): void {
    if (this.writing !== undefined) return;
    while (this.queue[0]?.durable === false) {
      const entry = this.queue.shift()!;
      this.unsaved.push(entry.record);
      entry.deliver();
    }
    if (this.queue.length === 0) return;
    const entries = this.nextWrite();
    const unsaved = this.unsaved.splice(0);
    const records = lastOfEachName([...unsaved, ...entries.map((entry) => entry.record)]);
    const write = entries[0]!.commit ?? this.write;
    this.writing = write(records).then(
      () => this.written(entries),
      (error: unknown) => this.unwritten(error, entries, unsaved),
    );
  }

  /** All that waits, up to what is a write of its own. */
  private nextWrite(): OutboxEntry[] {
    const own = this.queue.findIndex(({ commit }) => commit !== undefined);
    return this.queue.splice(0, own === -1 ? this.queue.length : Math.max(own, 1));
  }

  private written(entries: OutboxEntry[]): void {
    for (const entry of entries) entry.deliver();
    this.goOn();
  }

  private unwritten(error: unknown, entries: OutboxEntry[], unsaved: RecordWrite[]): void {
    // what the handler has seen must be stored before anything that comes after it
    this.unsaved.unshift(...unsaved);
    this.failed(error, entries);
    this.goOn();
  }

  private goOn(): void {
    this.writing = undefined;
    this.over();
    this.advance();
  }
}

/** One statement cannot write a record twice: an open wait and its outcome may meet in one write. */
function lastOfEachName(records: RecordWrite[]): RecordWrite[] {
  if (records.length === 1) return records;
  return [...new Map(records.map((record) => [record.name, record])).values()];
}
