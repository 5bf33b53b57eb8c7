import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { SerializationError } from '../../../lib/errors/serialization.error.js';
import { renderPath } from '../../../lib/common/value-path.js';
import { sameData, sameValue, supported } from '../../support/values.js';
import { decode, decodeParsed, encode, MAX_VALUE_BYTES } from '../../../lib/execution/codec.js';

const roundTrip = (value: unknown) => decode(encode(value, 'value'));

function neverRun(): never {
  throw new Error('a getter ran');
}

function refusal(value: unknown): SerializationError {
  try {
    encode(value, 'payload of task "t"');
  } catch (error) {
    if (error instanceof SerializationError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

describe('encode and decode', () => {
  it.each([
    [null],
    [0],
    [''],
    [false],
    [undefined],
    [-0],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    [Number.NEGATIVE_INFINITY],
    [Number.MAX_SAFE_INTEGER],
    [5e-324],
    [123456789012345678901234567890n],
    [-1n],
    ['quote " backslash \\ newline \n emoji 😀 \u2028 $date "$date'],
    [[]],
    [{}],
    [[undefined, null, [undefined]]],
    [{ a: undefined }],
    [new Date(0)],
    [new Date(8.64e15)],
    [new Date(-8.64e15)],
    [
      new Map<unknown, unknown>([
        [{ k: 1 }, new Set([1n])],
        [undefined, -0],
      ]),
    ],
    [new Set<unknown>([[1], 'a', undefined, new Map()])],
    [new Uint8Array([0, 255, 128])],
    [Buffer.from('bytes')],
    [new Uint8Array()],
    [{ deep: [{ date: new Date(5), map: new Map([['x', { n: Number.NaN }]]) }] }],
  ])('gives %p back as it was', (value) => {
    const back = roundTrip(value);
    expect(back).toStrictEqual(value);
    expect(Object.is(back, value) || typeof value === 'object').toBe(true);
  });

  it('tells an item or property that is undefined from one that is missing', () => {
    expect(Object.keys(roundTrip({ a: undefined, b: 1 }) as object)).toEqual(['a', 'b']);
    expect(roundTrip([1, undefined])).toHaveLength(2);
  });

  it('gives a Buffer back as a Buffer, and a Uint8Array as one that owns its memory', () => {
    expect(Buffer.isBuffer(roundTrip(Buffer.from('a')))).toBe(true);
    const bytes = roundTrip(Buffer.from('abcdef').subarray(2, 4)) as Buffer;
    expect(bytes.toString()).toBe('cd');
    const plain = roundTrip(new Uint8Array([1, 2])) as Uint8Array;
    expect(Buffer.isBuffer(plain)).toBe(false);
    expect(plain.buffer.byteLength).toBe(2);
  });

  it.each([
    [{ $date: '2020-01-01T00:00:00.000Z' }],
    [{ $undefined: true }],
    [{ $$date: 1 }],
    [{ $: 1, $$: 2, $$$: 3 }],
    [{ $set: { name: 'x' }, $inc: { n: 1 } }],
    [{ $map: [[1, 2]], plain: new Date(1) }],
    [{ '': { $bigint: 'x' } }],
    [{ constructor: 1, toString: 2, hasOwnProperty: 3, length: 4 }],
    [{ event: 'e', name: 'n', payload: { payload: 1 } }],
  ])('keeps the keys of %j, whatever they look like', (value) => {
    expect(roundTrip(value)).toStrictEqual(value);
  });

  it.each([
    ['alone', '{"__proto__":{"polluted":true}}'],
    ['beside a date', '{"__proto__":{"polluted":true},"at":"date"}'],
    ['beside a key that begins with $', '{"$x":1,"__proto__":{"polluted":true}}'],
  ])('keeps an own __proto__ %s as an own property, and touches no prototype', (_, json) => {
    const value = JSON.parse(json, (key, item: unknown) =>
      key === 'at' ? new Date(1) : item,
    ) as object;
    const back = roundTrip(value) as Record<string, unknown>;
    expect(Object.keys(back)).toEqual(Object.keys(value));
    expect(Object.getOwnPropertyDescriptor(back, '__proto__')?.value).toEqual({ polluted: true });
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype);
    expect(back.polluted).toBeUndefined();
  });

  it('gives objects without a prototype and instances without members back as plain objects', () => {
    class Customer {
      constructor(
        readonly id: number,
        readonly tags: string[],
      ) {}
    }
    class Vip extends Customer {
      since = new Date(3);
    }
    expect(roundTrip(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 });
    expect(roundTrip([new Vip(1, ['x'])])).toStrictEqual([
      { id: 1, tags: ['x'], since: new Date(3) },
    ]);
  });

  it('takes values that were made in another realm', () => {
    const foreign = runInNewContext(
      '({ list: [1, { a: 2 }], at: new Date(4), map: new Map([[1, new Set([2])]]), error: new TypeError("x") })',
    ) as object;
    expect(roundTrip(foreign)).toMatchObject({
      list: [1, { a: 2 }],
      at: new Date(4),
      map: new Map([[1, new Set([2])]]),
      error: expect.objectContaining({ name: 'TypeError', message: 'x' }),
    });
  });

  it('gives errors back with name, message, stack, code and cause', () => {
    const error = Object.assign(new RangeError('too far', { cause: new Error('why') }), {
      code: 'E_FAR',
    });
    const back = (roundTrip({ results: [error] }) as { results: Error[] }).results[0]!;
    expect(back).toBeInstanceOf(Error);
    expect(back).toMatchObject({ name: 'RangeError', message: 'too far', code: 'E_FAR' });
    expect(back.stack).toBe(error.stack);
    expect(back.cause).toMatchObject({ name: 'Error', message: 'why' });
  });

  it('writes a part that is shared once for each place, and refuses neither', () => {
    const shared = { n: 1 };
    const back = roundTrip({ a: shared, b: [shared, shared] });
    expect(back).toStrictEqual({ a: { n: 1 }, b: [{ n: 1 }, { n: 1 }] });
  });

  it('ignores what is not enumerable', () => {
    const value = Object.defineProperty({ a: 1 }, 'hidden', { get: neverRun, enumerable: false });
    Object.defineProperty(value, Symbol('hidden'), { value: 1, enumerable: false });
    expect(roundTrip(value)).toStrictEqual({ a: 1 });
  });

  it('writes JSON that needs no decoding where the value is JSON', () => {
    const value = { a: [1, 'x', null, true, { b: 'y\n' }] };
    expect(encode(value, 'value')).toBe(JSON.stringify(value));
  });

  it('gives back whatever it accepts', () => {
    fc.assert(
      fc.property(supported, (value) => {
        expect(sameValue(roundTrip(value), value)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});

describe('encode refuses, with the path,', () => {
  class Money {
    constructor(readonly cents: number) {}
    plus(other: Money) {
      return new Money(this.cents + other.cents);
    }
  }
  class Lazy {
    get value() {
      return 1;
    }
  }
  const sparse = [1, , 3]; // oxlint-disable-line no-sparse-arrays -- what is tested
  const cyclic: { self: { parent?: unknown } } = { self: {} };
  cyclic.self.parent = cyclic;
  const cyclicMap = new Map<string, unknown>();
  cyclicMap.set('me', [cyclicMap]);

  it.each<[string, unknown, string, RegExp]>([
    ['a function', { items: [1, { run: () => 1 }] }, 'items[1].run', /is a function/],
    ['a class', class A {}, '(root)', /is a function/],
    ['a symbol', [Symbol('s')], '[0]', /is a symbol/],
    ['a symbol as a key', { a: { [Symbol('s')]: 1 } }, 'a', /Symbol\(s\)/],
    [
      'a symbol as a key of an array',
      { a: Object.assign([], { [Symbol('s')]: 1 }) },
      'a',
      /Symbol\(s\)/,
    ],
    ['NUL', { name: 'a\0b' }, 'name', /NUL/],
    ['NUL in a key', { a: { 'x\0': 1 } }, String.raw`a["x\u0000"]`, /NUL/],
    ['half a surrogate pair', ['\ud83d'], '[0]', /surrogate/],
    ['half a surrogate pair in a key', { 'a\ude00': 1 }, String.raw`["a\ude00"]`, /surrogate/],
    ['a cycle', cyclic, 'self.parent', /contains it/],
    ['a cycle through a Map', { m: cyclicMap }, 'm[0].value[0]', /contains it/],
    ['an instance with a method', { total: new Money(5) }, 'total', /Money.*"plus"/],
    [
      'an instance with an inherited method',
      [new (class Euro extends Money {})(5)],
      '[0]',
      /Euro.*"plus"/,
    ],
    ['an instance with an accessor', { v: new Lazy() }, 'v', /Lazy.*"value"/],
    ['an instance with toJSON', { u: new URL('http://a.b') }, 'u', /URL/],
    ['inherited data', { o: Object.create({ inherited: 1 }) as object }, 'o', /"inherited"/],
    ['a RegExp', { re: /x/ }, 're', /RegExp/],
    ['a promise', { p: Promise.resolve(1) }, 'p', /await it/],
    ['a boxed number', { n: Object(1) as object }, 'n', /Number/],
    ['an ArrayBuffer', { b: new ArrayBuffer(1) }, 'b', /ArrayBuffer/],
    ['a Float64Array', { f: new Float64Array(1) }, 'f', /Float64Array/],
    ['a WeakMap', { w: new WeakMap() }, 'w', /WeakMap/],
    ['an invalid Date', { at: new Date(Number.NaN) }, 'at', /invalid Date/],
    ['a subclass of Date', { at: new (class Day extends Date {})(0) }, 'at', /subclass of Date/],
    ['a subclass of Map', new (class Index extends Map {})(), '(root)', /subclass of Map/],
    ['a subclass of Set', new (class Bag extends Set {})(), '(root)', /subclass of Set/],
    ['a subclass of Array', [new (class List extends Array {})()], '[0]', /subclass of Array/],
    ['a subclass of Uint8Array', new (class Hash extends Uint8Array {})(1), '(root)', /subclass/],
    ['a Map with properties of its own', Object.assign(new Map(), { a: 1 }), '(root)', /its own/],
    ['an array with named properties', { m: 'ab'.match(/a/) }, 'm', /named properties/],
    ['a sparse array', { list: sparse }, 'list[1]', /hole/],
    [
      'a sparse array of a thousand million',
      { list: Object.assign([], { length: 1e9 }) },
      'list[0]',
      /hole/,
    ],
    ['an own getter', { a: { get b() { return 1; } } }, 'a.b', /accessor/], // prettier-ignore
    ['an own setter', { set b(_: unknown) {} }, 'b', /accessor/], // prettier-ignore
    ['a getter in an array', Object.defineProperty([1], 0, { get: () => 1 }), '[0]', /accessor/],
    ['a bad key of a Map', new Map([[{ f: () => 1 }, 1]]), '[0].key.f', /function/],
    ['a bad value of a Map', { m: new Map([['a', 1], ['b', Symbol('s')]] as [string, unknown][]) }, 'm[1].value', /symbol/], // prettier-ignore
    ['a bad item of a Set', { s: new Set([1, 'x\0']) }, 's[1]', /NUL/],
    ['what is bad below a key that begins with $', { $set: { f: () => 1 } }, '$set.f', /function/],
  ])('%s', (_, value, path, reason) => {
    const error = refusal(value);
    expect(error.path).toBe(path);
    expect(error.reason).toMatch(reason);
    expect(error.message).toContain('payload of task "t"');
  });

  it('a getter without running it', () => {
    const value = Object.defineProperty({}, 'bomb', { get: neverRun, enumerable: true });
    expect(refusal(value)).toMatchObject({ path: 'bomb' });
    expect(refusal(value).cause).toBeUndefined();
  });

  it('a Proxy that throws, and passes on what it threw', () => {
    const cause = new Error('trap');
    const proxy = new Proxy({}, { ownKeys: () => { throw cause; } }); // prettier-ignore
    expect(refusal({ a: { proxy } })).toMatchObject({ path: 'a.proxy', cause });
    const { proxy: dead, revoke } = Proxy.revocable([], {});
    revoke();
    expect(refusal([dead])).toMatchObject({ path: '[0]' });
  });

  it('more than 200 levels', () => {
    const nest = (levels: number) => {
      let value: unknown = 1;
      for (let i = 0; i < levels; i += 1) value = i % 2 === 0 ? [value] : { a: value };
      return value;
    };
    expect(roundTrip(nest(200))).toStrictEqual(nest(200));
    expect(refusal(nest(201)).reason).toMatch(/200 levels/);
    expect(refusal(nest(100_000)).reason).toMatch(/200 levels/);
  });

  it('more than 1 MB of UTF-8, and takes exactly 1 MB', () => {
    expect(encode('x'.repeat(MAX_VALUE_BYTES - 2), 'value')).toHaveLength(MAX_VALUE_BYTES);
    for (const value of [
      'x'.repeat(MAX_VALUE_BYTES - 1),
      '€'.repeat(MAX_VALUE_BYTES / 3),
      '"'.repeat(MAX_VALUE_BYTES / 2),
      { a: ['x'.repeat(MAX_VALUE_BYTES)] },
      { ['k'.repeat(MAX_VALUE_BYTES)]: 1 },
      new Uint8Array(MAX_VALUE_BYTES),
      Array.from({ length: 300_000 }, () => 1.25),
    ]) {
      expect(refusal(value)).toMatchObject({
        path: '(root)',
        reason: expect.stringContaining('1 MB'),
      });
    }
  });

  it('what would be endless because its parts are shared, at once', () => {
    let value: unknown = 'leaf';
    for (let i = 0; i < 150; i += 1) value = [value, value];
    expect(refusal(value).reason).toContain('1 MB');
  });
});

describe('decode', () => {
  it.each([
    ['{"a":[{"$later":1}]}', 'a[0]'],
    ['{"$date":"tomorrow"}', '(root)'],
    ['{"$bigint":"x"}', '(root)'],
    ['{"$number":"1"}', '(root)'],
    ['{"m":{"$map":5}}', 'm'],
    ['{"m":{"$map":[5]}}', 'm'],
    ['{"a":{"$date":"2020-01-01","b":1}}', 'a'],
  ])('refuses %s, which encode never writes, and says where', (text, path) => {
    expect(() => decode(text)).toThrow(SerializationError);
    expect(() => decode(text)).toThrow(expect.objectContaining({ path }));
  });

  it('does the same for JSON that has been parsed', () => {
    const value = { a: [new Date(1), { $x: undefined }], $b: 2n };
    expect(decodeParsed(JSON.parse(encode(value, 'value')))).toStrictEqual(value);
    expect(decodeParsed(null)).toBeNull();
    expect(decodeParsed('$date')).toBe('$date');
  });
});

describe('FS1 a random value', () => {
  const runs = { numRuns: 10_000 };

  it('that can be stored comes back as it was, 10,000 of them', () => {
    fc.assert(
      fc.property(supported, (value) => {
        expect(sameValue(roundTrip(value), value)).toBe(true);
      }),
      runs,
    );
  });

  it('of any kind comes back with the same data or is refused with a path to what is refused, 10,000 of them', () => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withNullPrototype: true,
      withSparseArray: true,
      withTypedArray: true,
      withUnicodeString: true,
    });
    let refused = 0;
    fc.assert(
      fc.property(anything, (value) => {
        try {
          return sameData(roundTrip(value), value);
        } catch (error) {
          refused += 1;
          return error instanceof SerializationError && error.path !== '' && error.reason !== '';
        }
      }),
      runs,
    );
    expect(refused).toBeGreaterThan(100);
    expect(refused).toBeLessThan(9_000);
  });

  it('with one thing in it that cannot be stored is refused with the path to that, 10,000 of them', () => {
    const bad = fc.constantFrom<unknown>(
      () => 1,
      Symbol('s'),
      'a\0b',
      '\ud800',
      /x/,
      new Date(Number.NaN),
      new (class Money {
        plus() {}
      })(),
      Promise.resolve(),
    );
    // from the inside outwards: each wraps what is bad, among siblings that are not
    const wrappings = fc.array(
      fc.oneof(
        fc.record({
          kind: fc.constant('array' as const),
          before: fc.array(supported, { maxLength: 2 }),
        }),
        fc.record({ kind: fc.constant('object' as const), key: fc.stringMatching(/^[a-z]{1,3}$/) }),
        fc.record({ kind: fc.constant('map' as const) }),
      ),
      { minLength: 1, maxLength: 6 },
    );
    fc.assert(
      fc.property(bad, wrappings, (what, around) => {
        const path: (string | number)[] = [];
        let value = what;
        for (const wrapping of around) {
          if (wrapping.kind === 'array') {
            path.unshift(wrapping.before.length);
            value = [...wrapping.before, value];
          } else if (wrapping.kind === 'object') {
            path.unshift(wrapping.key);
            value = { first: 1, [wrapping.key]: value };
          } else {
            path.unshift(0, 'value');
            value = new Map([['k', value]]);
          }
        }
        expect(refusal(value).path).toBe(renderPath(path));
      }),
      runs,
    );
  });
});
