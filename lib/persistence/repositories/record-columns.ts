import { recordKind, recordStatus, type RecordWrite } from '../../execution/step-record.js';

/** Turns the records of many executions into the columns that save_steps and suspend take. */
export function recordColumns(
  items: { id: string; token: string; records: RecordWrite[] }[],
): unknown[] {
  const rows = items.flatMap(({ id, token, records }) =>
    records.map((record) => ({ id, token, record })),
  );
  return [
    rows.map((row) => row.id),
    rows.map((row) => row.token),
    rows.map(({ record }) => record.name),
    rows.map(({ record }) => recordKind[record.kind]),
    rows.map(({ record }) => recordStatus[record.status]),
    rows.map(({ record }) => record.seq ?? null),
    rows.map(({ record }) => record.alone),
    rows.map(({ record }) => record.fingerprint ?? null),
    rows.map(({ record }) => record.tries),
    rows.map(({ record }) => record.dueInMs ?? null),
    rows.map(({ record }) => record.value ?? null),
  ];
}
