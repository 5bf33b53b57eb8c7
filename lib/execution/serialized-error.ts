import { inspect, toUSVString } from 'node:util';
import type { RetryAfterError } from '../errors/retry-after.error.js';

/** What is stored of anything that was thrown. */
export interface SerializedError {
  name: string;
  message: string;
  stack?: string;
  code?: string;
  cause?: SerializedError;
  /** Of a RetryAfterError. */
  delayMs?: number;
}

export const RETRY_AFTER = 'CONDUCTOR_RETRY_AFTER' satisfies RetryAfterError['code'];

/** Bytes of JSON that an error may take. */
export const MAX_ERROR_BYTES = 16 * 1024;

/** Errors in a chain of causes, the first one included. */
const MAX_CHAIN = 8;
const MAX_NAME = 200;
/** Characters of one text before the whole is measured; nothing longer can fit. */
const MAX_TEXT = MAX_ERROR_BYTES;
const MAX_JOINED = 5;

const CUT = '… [truncated]';
const omitted: SerializedError = { name: 'Error', message: '[further causes omitted]' };

/** Takes down whatever was thrown, in a form that Postgres takes and that fits into 16 KB. Never throws: throwing getters,
 *  Proxies, null and cycles of causes included. An error whose class did not name itself goes by the name of its class. */
export function serializeError(thrown: unknown): SerializedError {
  return fit(take(thrown, []));
}

/** An Error with what was stored. Classes are not revived: tell errors apart by `name` and `code`. */
export function deserializeError(stored: SerializedError): Error {
  const { name, message, stack, code, cause, delayMs } = stored;
  const error = new Error(message);
  // as native errors have it: own, and not enumerable
  const set = (key: string, value: unknown) =>
    Object.defineProperty(error, key, {
      value,
      writable: true,
      enumerable: false,
      configurable: true,
    });
  if (name !== 'Error') set('name', name);
  set('stack', stack ?? `${name}: ${message}`);
  if (code !== undefined) set('code', code);
  if (delayMs !== undefined) set('delayMs', delayMs);
  if (cause !== undefined) set('cause', deserializeError(cause));
  return error;
}

function take(thrown: unknown, above: readonly unknown[]): SerializedError {
  if ((typeof thrown !== 'object' && typeof thrown !== 'function') || thrown === null) {
    return {
      name: 'Error',
      message: clean(
        typeof thrown === 'string' ? thrown : `${String(thrown)} was thrown`,
        MAX_TEXT,
      ),
    };
  }
  const stack = read(thrown, 'stack');
  const code = read(thrown, 'code');
  const delayMs = code === RETRY_AFTER ? read(thrown, 'delayMs') : undefined;
  const cause = takeCause(read(thrown, 'cause'), [...above, thrown]);
  return {
    name: clean(nameOf(thrown), MAX_NAME),
    message: clean(messageOf(thrown), MAX_TEXT),
    ...(typeof stack === 'string' && { stack: clean(stack, MAX_TEXT) }),
    ...((typeof code === 'string' || typeof code === 'number') && {
      code: clean(String(code), MAX_NAME),
    }),
    ...(cause !== undefined && { cause }),
    ...(typeof delayMs === 'number' && { delayMs }),
  };
}

function takeCause(cause: unknown, above: readonly unknown[]): SerializedError | undefined {
  if (cause === undefined || cause === null) return undefined;
  return above.length >= MAX_CHAIN || above.includes(cause) ? omitted : take(cause, above);
}

function nameOf(thrown: object): string {
  const name = read(thrown, 'name');
  if (typeof name === 'string' && name !== '' && name !== 'Error') return name;
  const type = read(thrown, 'constructor');
  const typeName = typeof type === 'function' ? read(type, 'name') : undefined;
  return typeof typeName === 'string' && typeName !== '' && typeName !== 'Object'
    ? typeName
    : 'Error';
}

function messageOf(thrown: object): string {
  const message = read(thrown, 'message');
  if (typeof message === 'string' && message !== '') return message;
  const joined = joinedMessages(thrown);
  if (joined !== '' || typeof message === 'string') return joined;
  try {
    return inspect(thrown, {
      depth: 2,
      customInspect: false,
      maxArrayLength: 20,
      maxStringLength: 1_000,
      breakLength: Infinity,
    });
  } catch {
    return 'An object that cannot be read was thrown';
  }
}

/** An AggregateError, such as of a refused connection, says nothing itself. */
function joinedMessages(thrown: object): string {
  try {
    const errors = read(thrown, 'errors');
    return Array.isArray(errors) ? errors.slice(0, MAX_JOINED).map(textOf).join('; ') : '';
  } catch {
    return '';
  }
}

/** Of the error itself only: such errors may contain each other. */
function textOf(error: unknown): string {
  const message: unknown =
    typeof error === 'object' && error !== null ? read(error, 'message') : String(error);
  return typeof message === 'string' ? message : '';
}

function read(from: object, key: string): unknown {
  try {
    return (from as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** Postgres refuses NUL and lone surrogates in text. */
function clean(text: string, limit: number): string {
  return toUSVString(cut(text.slice(0, limit + 1), limit).replaceAll('\0', ''));
}

function cut(text: string, limit: number): string {
  return text.length <= limit ? text : text.slice(0, limit) + CUT;
}

/** Shortens stacks, then messages, then the chain. The last step always fits: one error has at most 512 characters of message
 *  and 200 each of name and code, at 6 bytes a character. */
function fit(error: SerializedError): SerializedError {
  if (fits(error)) return error;
  for (const limit of [4_096, 2_048, 1_024, 0]) {
    error = shorten(error, (e) => ({
      ...e,
      ...(e.stack !== undefined && { stack: toUSVString(cut(e.stack, limit)) }),
    }));
    if (fits(error)) return error;
  }
  for (const limit of [4_096, 2_048, 512]) {
    error = shorten(error, (e) => ({ ...e, message: toUSVString(cut(e.message, limit)) }));
    if (fits(error)) return error;
  }
  for (let causes = MAX_CHAIN - 1; causes >= 0 && !fits(error); causes -= 1)
    error = withCauses(error, causes);
  return error;
}

function fits(error: SerializedError): boolean {
  return Buffer.byteLength(JSON.stringify(error)) <= MAX_ERROR_BYTES;
}

function shorten(
  error: SerializedError,
  one: (error: SerializedError) => SerializedError,
): SerializedError {
  const { cause } = error;
  return cause === undefined ? one(error) : { ...one(error), cause: shorten(cause, one) };
}

function withCauses(error: SerializedError, causes: number): SerializedError {
  const { cause } = error;
  if (cause === undefined) return error;
  return { ...error, cause: causes === 0 ? omitted : withCauses(cause, causes - 1) };
}
