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

  constructor(
    private readonly recorded: RecordedOutcomes,
    private readonly isAsked: (name: string) => boolean,
  ) {}

  /** @returns undefined when the record does not tell which of several parallel calls this one is. */
  number(call: StepCall, alone: boolean): NumberedCall | undefined {
    const print = fingerprint(call.args);
    if (call.key !== undefined)
      return { name: `${call.name}:${call.key}`, fingerprint: print, alone };
    const n = (this.calls.get(call.name) ?? 0) + 1;
    this.calls.set(call.name, n);
    const name = n === 1 ? call.name : `${call.name}#${n}`;
    const record = this.recorded.get(name);
    const taken = this.isAsked(name);
    if (record !== undefined && !taken && (print === undefined || record.fingerprint === print))
      return { name, fingerprint: print, alone };
    const twin = this.recorded
      .numbered(call.name)
      .find(
        (other) => !this.isAsked(other.name) && print !== undefined && other.fingerprint === print,
      );
    if (twin !== undefined) return { name: twin.name, fingerprint: print, alone };
    if (record === undefined && !taken) return { name, fingerprint: print, alone };
    // in sequential code an argument may well have changed (a timestamp): the number says enough
    if (record !== undefined && !taken && record.alone && alone)
      return { name, fingerprint: print, alone };
    return undefined;
  }
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
