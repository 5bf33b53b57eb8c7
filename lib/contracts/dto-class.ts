/** A class that describes data with the decorators of class-validator and class-transformer. */
// `any`: classes differ in what their constructors take, and are called with nothing
// oxlint-disable-next-line typescript/no-explicit-any -- see above
export type DtoClass<T extends object = object> = new (...args: any[]) => T;

/** What is data as it is, and no mapping of its members. */
type Atom =
  | string
  | number
  | boolean
  | bigint
  | symbol
  | null
  | undefined
  | Date
  | Uint8Array
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>;

// by `never[]`, the top of all functions: also those whose parameters are narrower than unknown
type IsMethod<T> = NonNullable<T> extends (...args: never[]) => unknown ? true : false;

/**
 * The data of a class: an object with its public properties, at every level, and without its methods. The compiler cannot
 * tell a getter from a property: a getter is part of it.
 */
export type DataOf<T> = T extends Atom
  ? T
  : T extends readonly unknown[]
    ? { [I in keyof T]: DataOf<T[I]> }
    : T extends object
      ? { [K in keyof T as IsMethod<T[K]> extends true ? never : K]: DataOf<T[K]> }
      : T;

export function isDtoClass(value: unknown): value is DtoClass {
  // neither an arrow function nor a method has a prototype
  return typeof value === 'function' && typeof value.prototype === 'object';
}
