/** Base of every error that this package throws. `code` is stable across releases; messages are not. */
export abstract class ConductorError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}
