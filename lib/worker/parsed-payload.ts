import { fromStoredForm, parseWith, storedForm } from '../contracts/parse.js';
import type { TaskDefinition } from '../discovery/task-definition.js';
import { PayloadInvalidError } from '../errors/payload-invalid.error.js';
import { decode, decodeParsed, encode } from '../execution/codec.js';
import type { ClaimedExecution } from '../execution/claimed-execution.js';
import { PAYLOAD_RECORD, type RecordWrite, type StepRecord } from '../execution/step-record.js';

/** The payload as the handler gets it. */
export interface ParsedPayload {
  value: unknown;
  /** What a replay needs of it: goes with the first write. */
  unsaved: RecordWrite[];
}

/** At once where there is nothing to parse. */
export function parsedPayload(
  task: TaskDefinition,
  { payload, records }: ClaimedExecution,
): ParsedPayload | Promise<ParsedPayload> {
  const recorded = records.find(({ kind }) => kind === 'payload');
  if (recorded !== undefined) return restored(task, payload, recorded);
  if (task.payload !== undefined) return parsed(task, payload);
  return { value: decode(payload), unsaved: [] };
}

async function restored(
  { payload: schema }: TaskDefinition,
  payload: string,
  recorded: StepRecord,
): Promise<ParsedPayload> {
  const stored = decodeParsed(recorded.value);
  return { value: await fromStoredForm(schema, stored, () => decode(payload)), unsaved: [] };
}

/** The code may have changed since the invoke: what no longer fits fails here, before the handler. */
async function parsed(
  { name, payload: schema }: TaskDefinition,
  payload: string,
): Promise<ParsedPayload> {
  const result = await parseWith(schema, decode(payload));
  if (result.issues) throw new PayloadInvalidError(name, result.issues);
  return { value: result.value, unsaved: await differing(schema, payload, result.value) };
}

async function differing(
  schema: TaskDefinition['payload'],
  payload: string,
  parsed: unknown,
): Promise<RecordWrite[]> {
  try {
    const value = encode(await storedForm(schema, parsed), 'parsed payload');
    if (value === payload) return [];
    return [
      { name: PAYLOAD_RECORD, kind: 'payload', status: 'completed', alone: true, tries: 0, value },
    ];
  } catch {
    return []; // an instance that cannot be stored: it is made again from the payload
  }
}
