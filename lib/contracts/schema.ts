import type { StandardSchemaV1 } from '@standard-schema/spec';
import { isDtoClass, type DataOf, type DtoClass } from './dto-class.js';

declare const carried: unique symbol;

/** A type without a check; see `type`. */
export interface TypeMarker<T = unknown> {
  readonly kind: 'type';
  /** Exists for the compiler only. */
  readonly [carried]?: { type: T };
}

/** What describes a payload or a result: a DTO class, a schema of any library that implements Standard Schema (zod, valibot,
 *  arktype…), or `type<T>()`. A class that is also a Standard Schema is taken as one. */
export type Schema = StandardSchemaV1 | TypeMarker | DtoClass;

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

export function isSchema(value: unknown): value is Schema {
  return isStandardSchema(value) || isTypeMarker(value) || isDtoClass(value);
}

// `undefined` first: without strictNullChecks it extends everything

/** What goes into a schema: what callers pass and handlers return. Of a DTO its data. */
export type InputOf<S extends Schema | undefined> = S extends undefined
  ? unknown
  : S extends TypeMarker<infer T>
    ? T
    : S extends StandardSchemaV1
      ? StandardSchemaV1.InferInput<S>
      : S extends DtoClass<infer T>
        ? DataOf<T>
        : never;

/** What comes out of a schema: what the handler gets. Of a DTO an instance. */
export type OutputOf<S extends Schema | undefined> = S extends undefined
  ? unknown
  : S extends TypeMarker<infer T>
    ? T
    : S extends StandardSchemaV1
      ? StandardSchemaV1.InferOutput<S>
      : S extends DtoClass<infer T>
        ? T
        : never;

/** What comes out of a schema and was stored: what callers receive. Of a DTO its data. */
export type StoredOutputOf<S extends Schema | undefined> = S extends
  undefined | TypeMarker | StandardSchemaV1
  ? OutputOf<S>
  : S extends DtoClass<infer T>
    ? DataOf<T>
    : never;
