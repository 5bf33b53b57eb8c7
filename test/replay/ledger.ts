import { SHARED } from './program.js';

/** One activation of a handler, as it saw itself. */
export interface Activation {
  fence: number;
  attempt: number;
  /** What the handler was given, in that order. */
  seen: string[];
}

export interface Recording {
  isStep: boolean;
  fence: number;
  attempt: number;
  failed: boolean;
}

/** What is known of one execution from outside the engine: each body that ran, each record that was committed, each thing that the
 *  handler saw. Finds what contradicts. */
export class Ledger {
  readonly problems: string[] = [];
  private readonly activations: Activation[] = [];
  private readonly recordings = new Map<string, Recording>();
  private readonly runs = new Map<string, number>();
  private readonly drawn = new Map<string, string>();
  /** The answers that were given. */
  readonly patches = new Set<boolean>();
  private readonly winners = new Map<string, string>();

  constructor(readonly seed: number) {}

  begin(fence: number, attempt: number): Activation {
    const activation = { fence, attempt, seen: [] };
    this.activations.push(activation);
    return activation;
  }

  get activated(): number {
    return this.activations.length;
  }

  get bodies(): number {
    return [...this.runs.values()].reduce((sum, runs) => sum + runs, 0);
  }

  /** @returns how often it has run now. */
  bodyStarts(step: string, { fence, attempt }: Activation): number {
    const recording = this.recordings.get(step);
    // an attempt that was superseded may still start what a later one has recorded: nothing of it is written
    if (
      recording !== undefined &&
      recording.fence <= fence &&
      !(recording.failed && recording.attempt < attempt)
    )
      this.problem(
        `the body of "${step}" ran in claim ${fence}, after it was recorded in claim ${recording.fence}`,
      );
    const runs = (this.runs.get(step) ?? 0) + 1;
    this.runs.set(step, runs);
    return runs;
  }

  recorded(name: string, recording: Recording): void {
    if (!name.includes(SHARED)) this.recordings.set(name, recording);
  }

  /** A step that was recorded in an earlier claim and is no method's: a replay has to ask for it. */
  mustAskFor({ fence, attempt }: Activation): string | undefined {
    for (const [name, recording] of this.recordings)
      if (recording.isStep && !isCall(name) && recording.fence < fence && attempt === 1)
        return name;
    return undefined;
  }

  /** A step named after the winner of a race runs: within an attempt it is the same winner each time. */
  won(race: string, winner: string, { attempt }: Activation): void {
    const key = `${race}, attempt ${attempt}`;
    const before = this.winners.get(key);
    if (before !== undefined && before !== winner && this.recordings.has(`after ${race} ${before}`))
      this.problem(`${race} was won by ${before} and recorded, and then by ${winner}`);
    this.winners.set(key, winner);
  }

  /** What the handler drew, it may have shown to anybody: within an attempt it is that each time. */
  drew(name: string, value: string, { attempt, fence }: Activation): void {
    const key = `${name}, attempt ${attempt}`;
    const before = this.drawn.get(key);
    if (before !== undefined && before !== value)
      this.problem(`claim ${fence} drew ${value} for ${name}, and an earlier one ${before}`);
    this.drawn.set(key, value);
  }

  /** Code that asks goes the way that is recorded. */
  patched(name: string, answer: boolean, isNew: boolean, { attempt, fence }: Activation): void {
    if (!isNew) return;
    const other = this.recordings.get(`${name} ${answer ? 'old' : 'new'}`);
    if (other !== undefined && !other.failed && other.attempt === attempt && other.fence < fence)
      this.problem(
        `claim ${fence} went the ${answer ? 'new' : 'old'} way of ${name}, and the other one is recorded`,
      );
    this.patches.add(answer);
  }

  /** Once it has ended. */
  judge(): void {
    for (const [name, { isStep }] of this.recordings)
      if (isStep && !this.runs.has(name)) this.problem(`"${name}" is recorded and never ran`);
    this.compareActivations();
  }

  /** What an activation saw and was recorded, a later one of the same attempt saw in the same order, before anything else. */
  private compareActivations(): void {
    let truth: Activation | undefined;
    for (const activation of this.activations.toSorted((a, b) => a.fence - b.fence)) {
      if (truth === undefined || truth.attempt !== activation.attempt) {
        truth = activation;
        continue;
      }
      const { seen } = truth;
      const fork = activation.seen.findIndex((entry, i) => i < seen.length && entry !== seen[i]);
      if (fork === -1) {
        if (activation.seen.length > seen.length) truth = activation;
        continue;
      }
      // what was recorded in its own claim at the latest: a claim between the two may have recorded the rest in another order, unseen
      const { fence } = truth;
      const kept = seen
        .slice(fork)
        .find((entry) => (this.recordings.get(nameOf(entry))?.fence ?? Infinity) <= fence);
      if (kept !== undefined)
        this.problem(
          `claim ${activation.fence} saw "${activation.seen[fork]}" where claim ${fence} had seen "${seen[fork]}", and "${kept}" was recorded by then`,
        );
      truth = activation;
    }
  }

  problem(text: string): void {
    this.problems.push(`seed ${this.seed}: ${text}`);
  }
}

const isCall = (name: string) => /^(load|save|keyed) /.test(name);

/** Entries are `name = what it gave`. */
const nameOf = (entry: string) => entry.slice(0, entry.indexOf(' = '));
