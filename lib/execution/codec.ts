import { Decoder } from './codec/decoder.js';
import { Encoder } from './codec/encoder.js';
export { MAX_VALUE_BYTES } from './codec/output.js';

/**
 * A value as JSON text. What JSON lacks is written as an object with one key that begins with `$`: bigint, Date, undefined,
 * NaN, ±Infinity, -0, Map, Set, Uint8Array, Buffer and Error; a user's own keys that begin with `$` get a second one. So
 * everything that is accepted comes back as it was, whatever its keys; instances of classes without members come back as
 * plain objects.
 *
 * @param what names the value in errors, such as `payload of task "orders.charge"`
 * @throws SerializationError, with the path, for what could not come back: functions, symbols, cycles, accessors, sparse
 * arrays, instances whose class has members, text that Postgres refuses; and for more than 200 levels or 1 MB
 */
export function encode(value: unknown, what: string): string {
  return new Encoder(what).encode(value);
}

/** @throws SerializationError for what `encode` never wrote */
export function decode(text: string): unknown {
  const json: unknown = JSON.parse(text);
  // no key begins with $ anywhere: there is nothing to decode
  return text.includes('"$') ? decodeParsed(json) : json;
}

/** The same for JSON that has been parsed. Decodes in place: the input must not be used again.
 *  @throws SerializationError for what `encode` never wrote */
export function decodeParsed(json: unknown): unknown {
  return new Decoder().decode(json);
}
