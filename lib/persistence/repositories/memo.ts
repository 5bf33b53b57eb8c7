import { recordKindName, recordStatusName, type StepRecord } from '../../execution/step-record.js';

type MemoRow = [
  name: string,
  kind: number,
  status: number,
  seq: number | null,
  optional: boolean,
  fingerprint: string | null,
  alone: boolean,
  tries: number,
  dueInMs: number | null,
  value: unknown,
];

/** Reads the records that came with a claim. */
export function parseMemo(text: string | null): StepRecord[] {
  if (text === null) return [];
  return (JSON.parse(text) as MemoRow[]).map(
    ([name, kind, status, seq, optional, fingerprint, alone, tries, dueInMs, value]) => ({
      name,
      kind: recordKindName(kind),
      status: recordStatusName(status),
      seq: seq ?? undefined,
      optional,
      fingerprint: fingerprint ?? undefined,
      alone,
      tries,
      dueInMs: dueInMs ?? undefined,
      value,
    }),
  );
}
