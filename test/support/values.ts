import fc from 'fast-check';

// well-formed text without NUL; keys that look like tags and like prototypes are frequent
const text = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((s) => !s.includes('\0'));
const key = fc.oneof(
  { weight: 3, arbitrary: text },
  {
    weight: 2,
    arbitrary: fc.constantFrom('$date', '$', '$$', '$$date', '$map', '$undefined', '$error'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('__proto__', 'constructor', 'toString', 'length', 'toJSON'),
  },
);
/** Values that the codec has to give back as they were. */
export const supported = fc.letrec<{ value: unknown }>((tie) => {
  const child = tie('value');
  return {
    value: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      text,
      fc.double(),
      fc.integer(),
      fc.constantFrom<unknown>(null, undefined, true, false, -0, '$date', '{"$date":1}'),
      fc.bigInt(),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array({ maxLength: 8 }),
      fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
      fc.array(child, { maxLength: 4 }),
      fc.array(fc.tuple(key, child), { maxLength: 4 }).map(objectOf),
      fc.array(fc.tuple(child, child), { maxLength: 3 }).map((entries) => new Map(entries)),
      fc.array(child, { maxLength: 3 }).map((items) => new Set(items)),
    ),
  };
}).value;

function objectOf(entries: [string, unknown][]): object {
  const object = {};
  for (const [name, value] of entries) {
    Object.defineProperty(object, name, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return object;
}

/** Deep equality that tells 0 from -0, kinds of objects, orders of keys, and own properties from inherited ones. */
export function sameValue(a: unknown, b: unknown): boolean {
  return same(a, b, Object.getPrototypeOf);
}

/** The same for what may come back as a plain object. */
export function sameData(a: unknown, b: unknown): boolean {
  return same(a, b, (of) => Object.prototype.toString.call(of));
}

function same(a: unknown, b: unknown, kindOf: (of: object) => unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null)
    return Object.is(a, b);
  if (kindOf(a) !== kindOf(b)) return false;
  if (a instanceof Date) return a.getTime() === (b as Date).getTime();
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array) === 0;
  if (a instanceof Map) return same([...a], [...(b as Map<unknown, unknown>)], kindOf);
  if (a instanceof Set) return same([...a], [...(b as Set<unknown>)], kindOf);
  const keys = Object.keys(a);
  const own = (of: object, name: string): unknown =>
    Object.getOwnPropertyDescriptor(of, name)?.value;
  return (
    sameList(keys, Object.keys(b)) && keys.every((name) => same(own(a, name), own(b, name), kindOf))
  );
}

function sameList(a: string[], b: string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
