import { OptionReader } from '../common/option-reader.js';
import { shown } from '../common/shown.js';
import { MAX_HEADERS_BYTES } from '../execution/headers.js';
import { nameProblem } from './task-name.js';

const MAX_NAME = 200;

/** Reads the option `headers`, and notes all that is wrong with it.
 *  @returns JSON text; undefined where there are none */
export function headersText(given: unknown, problems: string[]): string | undefined {
  if (given === undefined) return undefined;
  const reader = OptionReader.open(given, 'headers', problems);
  if (reader === undefined) return undefined;
  // read once: what was checked is what is stored
  const headers = Object.entries(reader.given);
  const before = problems.length;
  for (const [name, value] of headers) {
    const problem = nameProblem(name, MAX_NAME);
    if (problem !== undefined) problems.push(`headers: a name ${problem}`);
    else if (typeof value !== 'string')
      reader.fail(name, `must be a string, and is ${shown(value)}`);
    else if (/[\0\p{Surrogate}]/u.test(value))
      reader.fail(
        name,
        'contains a NUL character or half of a surrogate pair, which Postgres cannot store',
      );
  }
  if (headers.length === 0 || problems.length > before) return undefined;
  const text = JSON.stringify(Object.fromEntries(headers));
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_HEADERS_BYTES) return text;
  problems.push(
    `headers take ${bytes} bytes as JSON, and may take ${MAX_HEADERS_BYTES}: put what is larger into the payload`,
  );
  return undefined;
}
