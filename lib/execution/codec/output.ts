import { renderPath } from '../../common/value-path.js';
import { SerializationError } from '../../errors/serialization.error.js';
import { textProblem } from './refusals.js';

/** Bytes of UTF-8 that one value may take as JSON. */
export const MAX_VALUE_BYTES = 1024 * 1024;

/** What JSON escapes, or Postgres refuses. */
const NOT_VERBATIM = /["\\\p{Cc}\p{Surrogate}]/u;

/** The text of a value while it is written. What is too large is refused before all of it has been visited: a value that shares
 *  its parts many times over would never come to an end. */
export class Output {
  private text = '';

  constructor(
    private readonly what: string,
    /** Keys to what is being written; the encoder keeps it. */
    private readonly path: PropertyKey[],
  ) {}

  put(text: string): void {
    this.text += text;
    this.refuseIfLonger(this.text.length);
  }

  string(value: string): void {
    this.refuseIfLonger(value.length);
    if (!NOT_VERBATIM.test(value)) return this.put(`"${value}"`);
    this.refuseIf(textProblem(value));
    this.put(JSON.stringify(value));
  }

  finish(): string {
    // a UTF-16 unit is at most 3 bytes: most values need no exact count
    if (this.text.length * 3 > MAX_VALUE_BYTES) this.refuseIfLonger(Buffer.byteLength(this.text));
    return this.text;
  }

  refuse(reason: string, options?: ErrorOptions): never {
    throw new SerializationError(this.what, renderPath(this.path) || '(root)', reason, options);
  }

  refuseIf(problem: string | undefined): void {
    if (problem !== undefined) this.refuse(problem);
  }

  refuseIfLonger(length: number): void {
    if (length <= MAX_VALUE_BYTES) return;
    this.path.length = 0;
    this.refuse('is larger than 1 MB as JSON; store it elsewhere and pass on where it is');
  }
}
