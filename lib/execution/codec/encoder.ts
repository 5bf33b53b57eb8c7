import { types } from 'node:util';
import { isoText } from '../../common/iso-date.js';
import { SerializationError } from '../../errors/serialization.error.js';
import { serializeError } from '../serialized-error.js';
import { Output } from './output.js';
import { builtInProblem, instanceProblem, symbolKeyProblem } from './refusals.js';

const MAX_DEPTH = 200;

/** Walks through one value, once, and writes it. */
export class Encoder {
  /** The objects from the root to what is being written, and their keys. */
  private readonly parents: object[] = [];
  private readonly path: PropertyKey[] = [];
  /** Prototypes whose instances are only data. */
  private readonly plain = new Set<object | null>([null, Object.prototype]);
  private readonly out: Output;

  constructor(what: string) {
    this.out = new Output(what, this.path);
  }

  encode(value: unknown): string {
    try {
      this.write(value);
    } catch (error) {
      if (error instanceof SerializationError) throw error;
      // a Proxy: nothing else of the user's runs here
      return this.out.refuse(`threw an error when it was read: ${serializeError(error).message}`, {
        cause: error,
      });
    }
    return this.out.finish();
  }

  private write(value: unknown): void {
    switch (typeof value) {
      case 'string':
        return this.out.string(value);
      case 'number':
        return this.writeNumber(value);
      case 'boolean':
        return this.out.put(value ? 'true' : 'false');
      case 'undefined':
        return this.out.put('{"$undefined":true}');
      case 'bigint':
        return this.out.put(`{"$bigint":"${value}"}`);
      case 'object':
        return value === null ? this.out.put('null') : this.writeObject(value);
      case 'function':
        return this.out.refuse('is a function; only data can be stored');
      case 'symbol':
        return this.out.refuse(
          'is a symbol; symbols mean nothing to another process, use a string',
        );
    }
  }

  private writeNumber(value: number): void {
    if (Object.is(value, -0)) return this.out.put('{"$number":"-0"}');
    this.out.put(Number.isFinite(value) ? String(value) : `{"$number":"${value}"}`);
  }

  private writeObject(value: object): void {
    if (this.parents.includes(value)) {
      this.out.refuse('refers back to an object that contains it; store an id in its place');
    }
    if (this.parents.length >= MAX_DEPTH) {
      this.out.refuse(`is nested more than ${MAX_DEPTH} levels deep; store it flat`);
    }
    this.parents.push(value);
    if (Array.isArray(value)) this.writeArray(value);
    else if (types.isDate(value)) this.writeDate(value);
    else if (types.isMap(value)) this.writeMap(value);
    else if (types.isSet(value)) this.writeSet(value);
    else if (types.isUint8Array(value)) this.writeBytes(value);
    else if (types.isNativeError(value) || value instanceof Error) {
      this.out.put(`{"$error":${JSON.stringify(serializeError(value))}}`);
    } else this.writePlain(value);
    this.parents.pop();
  }

  private writePlain(value: object): void {
    const prototype = Object.getPrototypeOf(value) as object | null;
    if (!this.plain.has(prototype)) {
      this.out.refuseIf(instanceProblem(value));
      this.plain.add(prototype);
    }
    this.out.refuseIf(symbolKeyProblem(value));
    let separator = '';
    this.out.put('{');
    for (const key of Object.keys(value)) {
      this.path.push(key);
      this.out.put(separator);
      this.out.string(key.startsWith('$') ? `$${key}` : key);
      this.out.put(':');
      this.write(this.own(value, key));
      this.path.pop();
      separator = ',';
    }
    this.out.put('}');
  }

  private writeArray(value: readonly unknown[]): void {
    // Array.prototype is itself an array, that of a subclass is not
    if (!Array.isArray(Object.getPrototypeOf(value))) {
      this.out.refuse('is an instance of a subclass of Array; copy it with Array.from');
    }
    this.out.put('[');
    for (let index = 0; index < value.length; index += 1) {
      if (index > 0) this.out.put(',');
      this.path.push(index);
      this.write(this.own(value, index));
      this.path.pop();
    }
    // every index is there, so whatever comes on top of them has a name
    if (Object.keys(value).length > value.length) {
      this.out.refuse(
        'is an array with named properties, which would be lost; copy it with Array.from',
      );
    }
    this.out.refuseIf(symbolKeyProblem(value));
    this.out.put(']');
  }

  private writeDate(value: Date): void {
    this.out.refuseIf(builtInProblem(value, 'Date'));
    const text = isoText(value) ?? this.out.refuse('is an invalid Date');
    this.out.put(`{"$date":"${text}"}`);
  }

  private writeMap(value: ReadonlyMap<unknown, unknown>): void {
    this.out.refuseIf(builtInProblem(value, 'Map'));
    let index = 0;
    this.out.put('{"$map":[');
    Map.prototype.forEach.call(value, (item: unknown, key: unknown) => {
      this.path.push(index);
      this.out.put(index === 0 ? '[' : ',[');
      this.writeAt('key', key);
      this.out.put(',');
      this.writeAt('value', item);
      this.out.put(']');
      this.path.pop();
      index += 1;
    });
    this.out.put(']}');
  }

  private writeSet(value: ReadonlySet<unknown>): void {
    this.out.refuseIf(builtInProblem(value, 'Set'));
    let index = 0;
    this.out.put('{"$set":[');
    Set.prototype.forEach.call(value, (item: unknown) => {
      if (index > 0) this.out.put(',');
      this.writeAt(index, item);
      index += 1;
    });
    this.out.put(']}');
  }

  private writeBytes(value: Uint8Array): void {
    const prototype = Object.getPrototypeOf(value) as object;
    const isBuffer = prototype === Buffer.prototype;
    // on the prototype of every typed array, and not on that of a subclass
    if (!isBuffer && !Object.hasOwn(prototype, 'BYTES_PER_ELEMENT')) {
      this.out.refuse('is an instance of a subclass of Uint8Array; copy it with Uint8Array.from');
    }
    this.out.refuseIfLonger(value.byteLength);
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
    this.out.put(`{"${isBuffer ? '$buffer' : '$bytes'}":"${bytes}"}`);
  }

  private writeAt(key: PropertyKey, value: unknown): void {
    this.path.push(key);
    this.write(value);
    this.path.pop();
  }

  /** Reads without running a getter. */
  private own(value: object, key: PropertyKey): unknown {
    const property = Object.getOwnPropertyDescriptor(value, key);
    if (property !== undefined && 'value' in property) return property.value;
    return this.out.refuse(
      property === undefined
        ? 'is a hole in a sparse array; fill it, with undefined or null'
        : 'is an accessor and not data; copy what it gives into a plain property',
    );
  }
}
