import type { InvokeEvent } from '../interfaces/invoke-event.js';
import type { BaseContext } from '../interfaces/task-context.js';

// Parameters of functions are compared in both directions without strictFunctionTypes, which would let through a handler
// that asks for more than it gets. So the types are taken out of the handler and compared by themselves.

/** The top of all functions. */
export type Method = (...args: never[]) => unknown;

/** Nothing that a method's descriptor has: the compiler's complaint names the key. */
type Misfit<Reason extends string, Expected, Found> = {
  [K in Reason]: { expected: Expected; found: Found };
};

// oxlint-disable-next-line typescript/no-explicit-any -- `never` would not let the other parameter be inferred
type EventOf<M> = M extends (event: infer E, ...rest: any[]) => unknown ? E : never;
// oxlint-disable-next-line typescript/no-explicit-any -- as above
type ContextOf<M> = M extends (event: any, ctx: infer C, ...rest: any[]) => unknown ? C : never;
type ResultOf<M> = M extends (...args: never[]) => infer R ? Awaited<R> : never;

/** The built-in members that a context type declares, but not as they are. */
type Clash<C> = {
  [K in keyof C & keyof BaseContext]: BaseContext[K] extends C[K] ? never : K;
}[keyof C & keyof BaseContext];

/** A custom context is not known here: any further member may be its. One built-in member tells a context from something else. */
type IsContext<C> = unknown extends C
  ? true
  : [BaseContext] extends [C]
    ? true
    : [keyof C & keyof BaseContext] extends [never]
      ? false
      : [Clash<C>] extends [never]
        ? true
        : false;

type WrongResult<M, R> = Misfit<'the result is not what the contract says', R, ResultOf<M>>;

/** As HandlerFits, for a handler whose parameters are decorated: of those the compiler sees nothing. */
export type ResultFits<M, R> = [ResultOf<M>] extends [R] ? unknown : WrongResult<M, R>;

/** `unknown`, which adds nothing to a descriptor's type, if M can handle a task with payload P and result R. */
// oxlint-disable-next-line typescript/no-explicit-any -- `never` would let a third parameter pass
export type HandlerFits<M, P, R> = M extends (event: any, ctx: any) => unknown
  ? [InvokeEvent<P>] extends [EventOf<M>]
    ? IsContext<NonNullable<ContextOf<M>>> extends true
      ? [ResultOf<M>] extends [R]
        ? unknown
        : WrongResult<M, R>
      : Misfit<'the second parameter is not a TaskContext', BaseContext, ContextOf<M>>
    : Misfit<'the first parameter is not the event of the contract', InvokeEvent<P>, EventOf<M>>
  : Misfit<
      'a handler takes an event and a context, nothing more',
      [InvokeEvent<P>, BaseContext],
      M
    >;
