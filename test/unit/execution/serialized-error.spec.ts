import { runInNewContext } from 'node:vm';
import {
  deserializeError,
  MAX_ERROR_BYTES,
  serializeError,
  type SerializedError,
} from '../../../lib/execution/serialized-error.js';

const hostile = new Proxy(
  {},
  {
    get: () => {
      throw new Error('get');
    },
    getPrototypeOf: () => {
      throw new Error('getPrototypeOf');
    },
    ownKeys: () => {
      throw new Error('ownKeys');
    },
    getOwnPropertyDescriptor: () => {
      throw new Error('getOwnPropertyDescriptor');
    },
    has: () => {
      throw new Error('has');
    },
  },
);

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const bytes = (error: SerializedError) => Buffer.byteLength(JSON.stringify(error));

function depthOf(error: SerializedError): number {
  return error.cause === undefined ? 1 : 1 + depthOf(error.cause);
}

describe('serializeError', () => {
  it('takes down name, message, stack, code and the chain of causes', () => {
    class PaymentError extends Error {
      override readonly name = 'PaymentError';
      readonly code = 'CARD_DECLINED';
    }
    const error = new PaymentError('declined', {
      cause: new TypeError('no card', { cause: 'expired' }),
    });
    expect(serializeError(error)).toEqual({
      name: 'PaymentError',
      message: 'declined',
      code: 'CARD_DECLINED',
      stack: error.stack,
      cause: {
        name: 'TypeError',
        message: 'no card',
        stack: expect.stringContaining('no card'),
        cause: { name: 'Error', message: 'expired' },
      },
    });
  });

  it('calls an error by its class where the class did not name it', () => {
    class Declined extends Error {}
    expect(serializeError(new Declined('x')).name).toBe('Declined');
    expect(serializeError(new Error('x')).name).toBe('Error');
  });

  it('takes a number for a code, and nothing else that is not a string', () => {
    expect(serializeError(Object.assign(new Error('x'), { code: 404 })).code).toBe('404');
    expect(serializeError(Object.assign(new Error('x'), { code: {} }))).not.toHaveProperty('code');
    expect(serializeError(Object.assign(new Error('x'), { stack: [1] }))).not.toHaveProperty(
      'stack',
    );
  });

  it.each([
    [null, 'null was thrown'],
    [undefined, 'undefined was thrown'],
    [42, '42 was thrown'],
    [7n, '7 was thrown'],
    [Symbol('s'), 'Symbol(s) was thrown'],
    ['just text', 'just text'],
    [{ status: 404 }, '{ status: 404 }'],
    [Object.create(null), '[Object: null prototype] {}'],
    [['a'], "[ 'a' ]"],
  ])('makes an error of %p', (thrown, message) => {
    expect(serializeError(thrown)).toMatchObject({ message });
  });

  it('keeps what can be read of an object with getters that throw', () => {
    const error = new Error('real', { cause: 'reason' });
    for (const key of ['stack', 'name', 'code']) {
      Object.defineProperty(error, key, {
        get: () => {
          throw new Error(key);
        },
      });
    }
    expect(serializeError(error)).toEqual({
      name: 'Error',
      message: 'real',
      cause: { name: 'Error', message: 'reason' },
    });
  });

  it.each([
    ['a Proxy whose traps throw', hostile],
    ['a revoked Proxy', revoked()],
    ['an error with such a cause', new Error('x', { cause: hostile })],
    ['an aggregate of such errors', new AggregateError([hostile, revoked()], '')],
    ['an object whose errors are such', { message: '', errors: revoked() }],
    ['a class', class Thrown {}],
  ])('survives %s', (_, thrown) => {
    const stored = serializeError(thrown);
    expect(stored).toMatchObject({ name: expect.any(String), message: expect.any(String) });
    expect(JSON.parse(JSON.stringify(stored))).toEqual(stored);
  });

  it('ends where a cause comes round again, and after eight errors', () => {
    const a = new Error('a');
    const b = new Error('b', { cause: a });
    a.cause = b;
    const cyclic = serializeError(a);
    expect(cyclic.cause).toMatchObject({ message: 'b' });
    expect(cyclic.cause!.cause).toEqual({ name: 'Error', message: '[further causes omitted]' });

    let deep = new Error('0');
    for (let i = 1; i < 20; i += 1) deep = new Error(`${i}`, { cause: deep });
    deep.stack = undefined;
    const stored = serializeError(deep);
    expect(depthOf(stored)).toBe(9);
    expect(stored.message).toBe('19');
  });

  it('says what an AggregateError without a message is about, even one that contains itself', () => {
    const aggregate = new AggregateError([], '');
    aggregate.errors = [new Error('connect ::1'), 'connect 127.0.0.1', aggregate];
    expect(serializeError(aggregate).message).toBe('connect ::1; connect 127.0.0.1; ');
    expect(serializeError(new AggregateError([new Error('x')], 'own')).message).toBe('own');
  });

  it('removes what Postgres refuses in text', () => {
    const error = Object.assign(new Error('a\0b\ud800c'), { code: '\udc00\0', stack: '\0' });
    expect(serializeError(error)).toEqual({
      name: 'Error',
      message: 'ab\ufffdc',
      code: '\ufffd',
      stack: '',
    });
  });

  it('cuts the stack before the message, and says so', () => {
    const error = new Error('short');
    error.stack = 's'.repeat(100_000);
    const stored = serializeError(error);
    expect(bytes(stored)).toBeLessThanOrEqual(MAX_ERROR_BYTES);
    expect(stored.message).toBe('short');
    expect(stored.stack).toMatch(/^s{4000,}… \[truncated\]$/);
  });

  it('cuts a long message and keeps its beginning', () => {
    const error = new Error(`begin ${'€'.repeat(1_000_000)}`);
    const stored = serializeError(error);
    expect(bytes(stored)).toBeLessThanOrEqual(MAX_ERROR_BYTES);
    expect(stored.message).toMatch(/^begin €{2000,}… \[truncated\]$/u);
  });

  it('fits into 16 KB whatever was thrown, and keeps the outermost error', () => {
    let error = new Error('innermost');
    for (let i = 0; i < 7; i += 1) {
      error = new Error('\u0001'.repeat(50_000), { cause: error });
      error.name = '\u0001'.repeat(50_000);
      Object.assign(error, { code: '\u0001'.repeat(50_000) });
    }
    const stored = serializeError(error);
    expect(bytes(stored)).toBeLessThanOrEqual(MAX_ERROR_BYTES);
    expect(stored.message).toMatch(/\[truncated\]$/);
  });

  it('does not cut a character in half', () => {
    const error = new Error(`x${'😀'.repeat(20_000)}`);
    error.stack = undefined;
    expect(serializeError(error).message).not.toMatch(/\p{Surrogate}/u);
  });
});

describe('deserializeError', () => {
  it('gives an Error with what was stored, its properties as hidden as native ones', () => {
    const error = deserializeError({
      name: 'PaymentError',
      message: 'declined',
      code: 'CARD_DECLINED',
      stack: 'PaymentError: declined\n    at somewhere',
      cause: { name: 'TypeError', message: 'no card' },
    });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({
      name: 'PaymentError',
      message: 'declined',
      code: 'CARD_DECLINED',
      stack: 'PaymentError: declined\n    at somewhere',
    });
    expect(error.cause).toBeInstanceOf(Error);
    expect(error.cause).toMatchObject({ name: 'TypeError', stack: 'TypeError: no card' });
    expect(Object.keys(error)).toEqual([]);
    expect(String(error)).toBe('PaymentError: declined');
  });

  it('has no code and no cause where none was stored', () => {
    const error = deserializeError({ name: 'Error', message: 'x' });
    expect('code' in error).toBe(false);
    expect('cause' in error).toBe(false);
  });

  it('gives back what serializeError took down', () => {
    const stored = serializeError(
      Object.assign(new RangeError('x', { cause: new Error('y') }), { code: 'E' }),
    );
    expect(serializeError(deserializeError(stored))).toEqual(stored);
    const foreign = serializeError(runInNewContext('new TypeError("elsewhere")'));
    expect(foreign).toMatchObject({ name: 'TypeError', message: 'elsewhere' });
  });
});
