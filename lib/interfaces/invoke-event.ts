/** What a handler is called with when its task was invoked. */
export interface InvokeEvent<P = unknown> {
  readonly name: 'conductor.invoke';
  /** What the caller passed, parsed by the contract's payload schema if it has one. */
  readonly payload: P;
}
