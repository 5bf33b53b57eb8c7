import { ConductorError } from './conductor.error.js';

/** A value cannot be stored as JSON, or what is stored cannot be read. Nothing was written. */
export class SerializationError extends ConductorError {
  readonly code = 'CONDUCTOR_SERIALIZATION';

  constructor(
    /** Which value: `payload of task "orders.charge"`. */
    readonly what: string,
    /** Where in it: `items[3].name`, or `(root)`. */
    readonly path: string,
    /** What is wrong there, as the predicate of a sentence, and what to do. */
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`The ${what} cannot be converted: ${path} ${reason}.`, options);
  }
}
