import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { InvokeOptions } from '../interfaces/invoke-options.js';

/** Marks contracts. From the global registry: a bundler may have put this module into the process twice. */
export const contractTypes: unique symbol = Symbol.for('nest-conductor.contract');

/**
 * What callers and the handler of a task agree on; made by `defineTask`. Its four types: PI is what callers pass, PO what the
 * handler gets, RI what the handler returns, RO what callers receive.
 */
// `any`, since `unknown` would make the defaults a contract that no other one can be assigned to
export interface TaskContract<
  N extends string = string,
  // oxlint-disable-next-line typescript/no-explicit-any -- see above
  PI = any,
  // oxlint-disable-next-line typescript/no-explicit-any -- see above
  PO = any,
  // oxlint-disable-next-line typescript/no-explicit-any -- see above
  RI = any,
  // oxlint-disable-next-line typescript/no-explicit-any -- see above
  RO = any,
> {
  readonly name: N;
  readonly queue: string;
  /** Undefined where the contract has only a type, or none. */
  readonly payload?: StandardSchemaV1;
  readonly returns?: StandardSchemaV1;
  /** The types exist for the compiler only. */
  readonly [contractTypes]: { pi: PI; po: PO; ri: RI; ro: RO };
}

/** A task by its name alone: payload and result are not checked by the compiler. */
export interface TaskRef {
  name: string;
  /** Default `'default'`. */
  queue?: string;
  /** Keeps contracts out: a payload that its contract refuses must not pass as one of an unchecked task. */
  readonly [contractTypes]?: never;
}

/** What callers pass. */
export type PayloadOf<C extends TaskContract> = C[typeof contractTypes]['pi'];

/** What callers receive. */
export type ResultOf<C extends TaskContract> = C[typeof contractTypes]['ro'];

/** What the handler gets as `event.payload`. */
export type HandlerPayloadOf<C extends TaskContract> = C[typeof contractTypes]['po'];

/** What the handler returns. */
export type HandlerResultOf<C extends TaskContract> = C[typeof contractTypes]['ri'];

type StrictNulls = null extends string ? false : true;

/** Without strictNullChecks `undefined` is part of every type: there, only a payload of any type or of none is optional. */
type IsOptional<P> = unknown extends P
  ? true
  : void extends P
    ? true
    : [P] extends [void]
      ? true
      : StrictNulls extends true
        ? undefined extends P
          ? true
          : false
        : false;

/** What follows the contract in a call of `invoke`. The payload may be left out where undefined is one. */
export type InvokeArgs<C extends TaskContract, Options = InvokeOptions> =
  IsOptional<PayloadOf<C>> extends true
    ? [payload?: PayloadOf<C>, options?: Options]
    : [payload: PayloadOf<C>, options?: Options];
