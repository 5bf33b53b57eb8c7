import { recordKind, recordStatus, type RecordWrite } from '../../execution/step-record.js';

/** Turns the records of many executions into the columns that save_steps and suspend take. */
export function recordColumns(
  items: { id: string; token: string; records: RecordWrite[] }[],
): unknown[] {
  const records = items.flatMap((item) => item.records);
  return [
    items.map(({ id }) => id),
    items.map(({ token }) => token),
    items.flatMap((item, index) => item.records.map(() => index + 1)),
    records.map(({ name }) => name),
    records.map(({ kind }) => recordKind[kind]),
    records.map(({ status }) => recordStatus[status]),
    records.map(({ seq }) => seq ?? null),
    records.map(({ alone }) => alone),
    given(records.map(({ fingerprint }) => fingerprint ?? null)),
    records.map(({ tries }) => tries),
    given(records.map(({ dueInMs }) => dueInMs ?? null)),
    records.map(({ value }) => value ?? null),
  ];
}

/** A column that no record has is left out: unnest fills it up. */
function given<T>(values: (T | null)[]): (T | null)[] | null {
  return values.some((value) => value !== null) ? values : null;
}
