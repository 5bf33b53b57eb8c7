import type { StandardSchemaV1 } from '@standard-schema/spec';

declare const carried: unique symbol;

/** A type without a check; see `type`. */
export interface TypeMarker<T = unknown> {
  readonly kind: 'type';
  /** Exists for the compiler only. */
  readonly [carried]?: { type: T };
}

/** What describes a payload or a result: a schema of any library that implements Standard Schema (zod, valibot, arktype…),
 *  or `type<T>()`. */
export type Schema = StandardSchemaV1 | TypeMarker;

const marker: TypeMarker<never> = Object.freeze({ kind: 'type' });

/** A type for a contract without a schema: the compiler holds callers and handler to T, nothing is checked at run time. */
export function type<T>(): TypeMarker<T> {
  return marker;
}

export function isTypeMarker(value: unknown): value is TypeMarker {
  // not by identity: a bundler may have put this module into the process twice
  return typeof value === 'object' && value !== null && (value as TypeMarker).kind === 'type';
}

export function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  // a schema may be callable, as arktype's are
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  const props = (value as Partial<StandardSchemaV1>)['~standard'];
  return typeof props?.validate === 'function';
}

// `undefined` first: without strictNullChecks it extends everything

/** What goes into a schema: what callers pass. */
export type InputOf<S extends Schema | undefined> = S extends undefined
  ? unknown
  : S extends TypeMarker<infer T>
    ? T
    : S extends StandardSchemaV1
      ? StandardSchemaV1.InferInput<S>
      : never;

/** What comes out of a schema: what the handler gets. */
export type OutputOf<S extends Schema | undefined> = S extends undefined
  ? unknown
  : S extends TypeMarker<infer T>
    ? T
    : S extends StandardSchemaV1
      ? StandardSchemaV1.InferOutput<S>
      : never;
