import type { StepRecord } from '../execution/step-record.js';

/** What earlier activations recorded, and how far this one has come in it. */
export class RecordedOutcomes {
  private readonly mandatory: StepRecord[];
  private byName?: Map<string, StepRecord>;
  private byBase?: Map<string, StepRecord[]>;
  private cursor = 0;

  constructor(private readonly records: StepRecord[]) {
    this.mandatory = records
      .filter((record) => record.seq !== undefined && !record.optional)
      .sort((a, b) => a.seq! - b.seq!);
  }

  /** Whether the handler came further once than these calls. */
  wentOn(isAsked: (name: string) => boolean): boolean {
    return this.records.some(({ name, kind }) => kind !== 'payload' && !isAsked(name));
  }

  get(name: string): StepRecord | undefined {
    if (this.records.length === 0) return undefined;
    this.byName ??= new Map(this.records.map((record) => [record.name, record]));
    return this.byName.get(name);
  }

  /** The outcome that has to be delivered next. */
  get next(): StepRecord | undefined {
    return this.mandatory[this.cursor];
  }

  advance(): void {
    this.cursor += 1;
  }

  /** Those still to be delivered. */
  get remaining(): StepRecord[] {
    return this.mandatory.slice(this.cursor);
  }

  /** Names of this base: itself and `base#2`, `base#3`… */
  numbered(base: string): StepRecord[] {
    this.byBase ??= this.grouped();
    return this.byBase.get(base) ?? [];
  }

  /** Once: every new call of a `@Step` asks, and there may be thousands of them. */
  private grouped(): Map<string, StepRecord[]> {
    const groups = new Map<string, StepRecord[]>();
    for (const record of this.records) {
      // a name of the user's own may look like a numbered one
      for (const base of new Set([record.name, record.name.replace(/#\d+$/, '')])) {
        const group = groups.get(base);
        if (group === undefined) groups.set(base, [record]);
        else group.push(record);
      }
    }
    return groups;
  }

  get lastSeq(): number {
    let last = 0;
    for (const { seq } of this.records) if (seq !== undefined && seq > last) last = seq;
    return last;
  }

  /** How many calls are recorded. */
  get size(): number {
    let size = 0;
    for (const { kind } of this.records) if (kind !== 'payload') size += 1;
    return size;
  }

  /** Whether a failed attempt would have something to forget. */
  get hasStepErrors(): boolean {
    for (const { kind, status } of this.records)
      if (kind === 'step' && status !== 'completed') return true;
    return false;
  }
}
