import { dateOf } from '../../common/iso-date.js';
import { renderPath } from '../../common/value-path.js';
import { SerializationError } from '../../errors/serialization.error.js';
import { deserializeError, type SerializedError } from '../serialized-error.js';

type Json = Record<string, unknown>;

const numbers = { NaN, Infinity, '-Infinity': -Infinity, '-0': -0 };

/** Turns parsed JSON back into the value it was written from, in place where it can. */
export class Decoder {
  private readonly path: PropertyKey[] = [];

  decode(json: unknown): unknown {
    if (typeof json !== 'object' || json === null) return json;
    if (Array.isArray(json)) return this.decodeArray(json);
    const keys = Object.keys(json);
    if (!keys.some((key) => key.startsWith('$'))) return this.decodeValues(json as Json, keys);
    const [tag] = keys;
    if (keys.length === 1 && tag!.charAt(1) !== '$')
      return this.decodeTag(tag!, (json as Json)[tag!]);
    return this.unescape(json as Json, keys);
  }

  private decodeArray(items: unknown[]): unknown[] {
    for (let index = 0; index < items.length; index += 1) {
      const item = items[index];
      if (typeof item === 'object' && item !== null) items[index] = this.decodeAt(index, item);
    }
    return items;
  }

  private decodeValues(object: Json, keys: string[]): Json {
    for (const key of keys) {
      const value = object[key];
      // `__proto__` is an own property here, so that this assigns to it and leaves the prototype alone
      if (typeof value === 'object' && value !== null) object[key] = this.decodeAt(key, value);
    }
    return object;
  }

  private unescape(object: Json, keys: string[]): Json {
    const plain: Json = {};
    for (const key of keys) {
      if (key.startsWith('$') && key.charAt(1) !== '$')
        this.refuse(`has the key "${key}" beside others`);
      const own = key.startsWith('$') ? key.slice(1) : key;
      const value = this.decodeAt(own, object[key]);
      Object.defineProperty(plain, own, {
        value,
        writable: true,
        enumerable: true,
        configurable: true,
      });
    }
    return plain;
  }

  private decodeTag(tag: string, content: unknown): unknown {
    try {
      return this.revive(tag, content);
    } catch (error) {
      if (error instanceof SerializationError) throw error;
      return this.refuse(`has a ${tag} that cannot be read`);
    }
  }

  private revive(tag: string, content: unknown): unknown {
    switch (tag) {
      case '$undefined':
        return undefined;
      case '$number':
        return (
          numbers[content as keyof typeof numbers] ??
          this.refuse('has a $number that cannot be read')
        );
      case '$bigint':
        return BigInt(content as string);
      case '$date':
        return dateOf(content as string);
      case '$map':
        return new Map(this.decodeArray(content as [unknown, unknown][]) as [unknown, unknown][]);
      case '$set':
        return new Set(this.decodeArray(content as unknown[]));
      case '$bytes':
        return new Uint8Array(Buffer.from(content as string, 'base64'));
      case '$buffer':
        return Buffer.from(content as string, 'base64');
      case '$error':
        return deserializeError(content as SerializedError);
      default:
        return this.refuse(`has the unknown tag "${tag}"`);
    }
  }

  private decodeAt(key: PropertyKey, value: unknown): unknown {
    this.path.push(key);
    const decoded = this.decode(value);
    this.path.pop();
    return decoded;
  }

  private refuse(problem: string): never {
    throw new SerializationError(
      'stored value',
      renderPath(this.path) || '(root)',
      `${problem}; it was written by other code than this, perhaps by a newer version of nest-conductor`,
    );
  }
}
