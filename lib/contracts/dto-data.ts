import { types } from 'node:util';
import { renderPath } from '../common/value-path.js';
import { SerializationError } from '../errors/serialization.error.js';

type Fields = Record<string, unknown>;

/** Deeper values are refused by the codec as well. */
const MAX_DEPTH = 200;

export interface CopyOptions {
  /** Names the value in errors. */
  what: string;
  /** Whether a class is a DTO; instances of others stay what they are. */
  isDto: (type: Function) => boolean;
  /** `read`: what the getters of an instance give is data. Default: it is left out. */
  getters?: 'read';
}

/** A copy of plain objects and arrays at every level, in which the instances of DTOs are plain objects of their own properties.
 *  A property of an instance that is undefined is left out: a class that declares its fields has one for each.
 *  @throws SerializationError for a cycle, and for more than 200 levels */
export function copyData(value: unknown, options: CopyOptions): unknown {
  const parents: object[] = [];
  const path: PropertyKey[] = [];

  const copy = (item: unknown): unknown => {
    if (typeof item !== 'object' || item === null) return item;
    const isInstance = isInstanceOfDto(item);
    if (!isInstance && !Array.isArray(item) && !isPlain(prototypeOf(item))) return item;
    refuseIfEndless(item);
    parents.push(item);
    const copied = Array.isArray(item)
      ? Array.from(item, (member, index) => at(index, member))
      : fields(item as Fields, isInstance);
    parents.pop();
    return copied;
  };

  const isInstanceOfDto = (item: object): boolean => {
    const prototype = prototypeOf(item);
    if (isPlain(prototype)) return false;
    const type: unknown = prototype.constructor;
    return typeof type === 'function' && options.isDto(type);
  };

  const at = (key: PropertyKey, item: unknown): unknown => {
    path.push(key);
    const copied = copy(item);
    path.pop();
    return copied;
  };

  const fields = (item: Fields, isInstance: boolean): Fields => {
    const copied: Fields = {};
    const keys = isInstance && options.getters === 'read' ? withGetters(item) : Object.keys(item);
    for (const key of keys) {
      // class-transformer leaves it out as well; assigning it would set the prototype
      if (key === '__proto__' || (isInstance && item[key] === undefined)) continue;
      copied[key] = at(key, item[key]);
    }
    return copied;
  };

  const refuseIfEndless = (item: object): void => {
    const problem = parents.includes(item)
      ? 'refers back to an object that contains it; store an id in its place'
      : parents.length >= MAX_DEPTH &&
        `is nested more than ${MAX_DEPTH} levels deep; store it flat`;
    if (problem) throw new SerializationError(options.what, renderPath(path) || '(root)', problem);
  };

  return copy(value);
}

/**
 * Puts recorded data back into the classes it came from: into what was made of the same input anew, place by place. That is
 * used up. What has no counterpart stays plain.
 */
export function dressData(data: unknown, like: unknown): unknown {
  if (Array.isArray(data)) {
    const models = Array.isArray(like) ? (like as unknown[]) : [];
    return data.map((item, index) => dressData(item, models[index]));
  }
  if (!isFields(data) || !isFields(like)) return data;
  const into = isPlain(prototypeOf(like)) ? {} : like;
  for (const key of Object.keys(into)) if (!Object.hasOwn(data, key)) into[key] = undefined;
  for (const [key, item] of Object.entries(data)) into[key] = dressData(item, like[key]);
  return into;
}

function withGetters(instance: object): string[] {
  const keys = new Set(Object.keys(instance));
  for (let at = prototypeOf(instance); !isPlain(at); at = prototypeOf(at)) {
    for (const [key, member] of Object.entries(Object.getOwnPropertyDescriptors(at))) {
      if (member.get !== undefined) keys.add(key);
    }
  }
  return [...keys];
}

export function isFields(value: unknown): value is Fields {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !types.isDate(value) &&
    !types.isMap(value) &&
    !types.isSet(value) &&
    !ArrayBuffer.isView(value) &&
    !types.isNativeError(value)
  );
}

function prototypeOf(value: object): object | null {
  return Object.getPrototypeOf(value) as object | null;
}

/** None, or Object.prototype of any realm. */
function isPlain(prototype: object | null): prototype is null {
  return prototype === null || prototypeOf(prototype) === null;
}
