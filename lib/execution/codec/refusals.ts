import { types } from 'node:util';

// Each says why something cannot be stored, as the predicate of a sentence, or undefined where it can.

/** Text that Postgres refuses. */
export function textProblem(text: string): string | undefined {
  if (text.includes('\0'))
    return 'contains a NUL character, which Postgres cannot store; remove it';
  if (/\p{Surrogate}/u.test(text)) {
    return 'contains half of a surrogate pair, which Postgres cannot store; cut strings between characters only';
  }
  return undefined;
}

/** Symbols are how libraries hide things in an object: only enumerable ones are data. */
export function symbolKeyProblem(value: object): string | undefined {
  const key = Object.getOwnPropertySymbols(value).find((symbol) =>
    Object.prototype.propertyIsEnumerable.call(value, symbol),
  );
  return key && `has the key ${String(key)}; symbols mean nothing to another process, use a string`;
}

/** Instances come back as plain objects: whatever their prototype has would be missing. */
export function instanceProblem(value: object): string | undefined {
  if (types.isPromise(value)) return 'is a promise; await it first';
  const prototype = prototypeOf(value);
  for (let at = prototype; at !== null && !isObjectPrototype(at); at = prototypeOf(at)) {
    const member = Reflect.ownKeys(at).find((key) => key !== 'constructor');
    if (member !== undefined) {
      return `is an instance of ${classOf(prototype)}, whose "${String(member)}" would be lost; copy its data into a plain object`;
    }
  }
  return undefined;
}

/** A Date, Map or Set that is more than one. */
export function builtInProblem(value: object, type: 'Date' | 'Map' | 'Set'): string | undefined {
  const parent = prototypeOf(prototypeOf(value));
  if (parent === null || prototypeOf(parent) !== null) {
    return `is an instance of a subclass of ${type}; make a ${type} of it`;
  }
  if (Object.keys(value).length > 0) {
    return `is a ${type} with properties of its own, which would be lost`;
  }
  return symbolKeyProblem(value);
}

function prototypeOf(value: object | null): object | null {
  return value && (Object.getPrototypeOf(value) as object | null);
}

/** Object.prototype of any realm: objects that Node itself makes are of another one than code in a vm context. */
function isObjectPrototype(value: object): boolean {
  return (
    value === Object.prototype ||
    (prototypeOf(value) === null && Object.hasOwn(value, 'isPrototypeOf'))
  );
}

function classOf(prototype: object | null): string {
  const constructor = (prototype as { constructor?: unknown } | null)?.constructor;
  return typeof constructor === 'function' && constructor.name !== ''
    ? constructor.name
    : 'a class';
}
