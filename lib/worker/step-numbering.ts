import { createHash } from 'node:crypto';
import { encode } from '../execution/codec.js';
import type { StepCall } from '../execution/current-execution.js';
import type { RecordedOutcomes } from './recorded-outcomes.js';

export interface NumberedCall {
  name: string;
  fingerprint?: string;
  alone: boolean;
}

/** Finds the record that a call of a `@Step` method belongs to. Numbers are given at call time over all instances. */
export class StepNumbering {
  private readonly calls = new Map<string, number>();
  /** The fingerprint with which a record was asked for. */
  private readonly prints = new Map<string, string | undefined>();

  constructor(
    private readonly recorded: RecordedOutcomes,
    private readonly isAsked: (name: string) => boolean,
  ) {}

  /** @returns undefined when the record of this very call was given to another one, by its number. */
  number(call: StepCall, alone: boolean): NumberedCall | undefined {
    const print = fingerprint(call.args);
    const name =
      call.key === undefined ? this.nameOf(call.name, print, alone) : `${call.name}:${call.key}`;
    if (name === undefined) return undefined;
    this.prints.set(name, print);
    return { name, fingerprint: print, alone };
  }

  private nameOf(base: string, print: string | undefined, alone: boolean): string | undefined {
    const n = (this.calls.get(base) ?? 0) + 1;
    this.calls.set(base, n);
    const name = numbered(base, n);
    const record = this.isAsked(name) ? undefined : this.recorded.get(name);
    if (record !== undefined && (print === undefined || record.fingerprint === print)) return name;
    if (print !== undefined) {
      const twins = this.recorded.numbered(base).filter((twin) => twin.fingerprint === print);
      const twin = twins.find((other) => !this.isAsked(other.name));
      if (twin !== undefined) return twin.name;
      if (twins.some((other) => this.prints.get(other.name) !== print)) return undefined;
    }
    // in sequential code an argument may well have changed (a timestamp): the number says enough
    if (record?.alone && alone) return name;
    // a call of its own. Should it be the recorded one with other arguments, that record stays unasked, and no body starts
    let free = n;
    while (this.isAsked(numbered(base, free)) || this.recorded.get(numbered(base, free))) free += 1;
    return numbered(base, free);
  }
}

function numbered(base: string, n: number): string {
  return n === 1 ? base : `${base}#${n}`;
}

/** 64 bits of a hash of the encoded arguments, as a signed integer; undefined where they cannot be encoded. */
function fingerprint(args: readonly unknown[]): string | undefined {
  try {
    const text = encode([...args], 'arguments');
    return createHash('sha256').update(text).digest().readBigInt64BE().toString();
  } catch {
    return undefined;
  }
}
