/** What a record stands for. Stored as a smallint; never renumber. */
export const recordKind = { step: 0, sleep: 1, payload: 2, value: 3, patch: 4 } as const;
export type RecordKind = keyof typeof recordKind;

/** What the execution records by itself, in the order of the calls. */
export type DrawnValue = 'now' | 'uuid' | 'random';

/** The one record that no call asks for: the payload as it was parsed, where that is not what was passed. A schema may fill in
 *  the time or draw a number, and a replay must see what the first run saw. The control character keeps it out of the way
 *  of steps' names. */
export const PAYLOAD_RECORD = '\u0001payload';

/** `open`: a wait that is not over, or a step between two tries. */
export const recordStatus = { open: 0, completed: 1, failed: 2 } as const;
export type RecordStatus = keyof typeof recordStatus;

const kinds = Object.keys(recordKind) as RecordKind[];
const statuses = Object.keys(recordStatus) as RecordStatus[];

export const recordKindName = (code: number): RecordKind => kinds[code]!;
export const recordStatusName = (code: number): RecordStatus => statuses[code]!;

/** Steps and waits that one execution may record: a claim brings all of them along. */
export const MAX_RECORDS = 10_000;

/** The last place in the order: attempt after attempt sees again, in new places, what is recorded after a forgotten error. */
export const MAX_SEQ = 100 * MAX_RECORDS;

/** A step's or wait's record as it travels with the claim. */
export interface StepRecord {
  name: string;
  kind: RecordKind;
  status: RecordStatus;
  /** The place in which the handler saw it; undefined while open, or decided but not seen yet. */
  seq?: number;
  /** Written after an error that a failed attempt forgot: it may be asked for, and need not be. */
  optional: boolean;
  /** Of a `@Step`: a fingerprint of its arguments. */
  fingerprint?: string;
  /** Whether nothing else of the execution was in flight when a `@Step` was called. */
  alone: boolean;
  /** Failed tries of a step's body that is to be tried again. */
  tries: number;
  /** Until the wait is over, by the database's clock at the claim; <= 0: it is over. */
  dueInMs?: number;
  /** The JSON of a result or of a SerializedError, parsed but not decoded. */
  value: unknown;
}

/** A record to be written with the next write of its execution. */
export interface RecordWrite {
  name: string;
  kind: RecordKind;
  status: RecordStatus;
  seq?: number;
  fingerprint?: string;
  alone: boolean;
  tries: number;
  /** Until the wait is over, from the moment of the write. */
  dueInMs?: number;
  /** JSON text. */
  value?: string;
}
