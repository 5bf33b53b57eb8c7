import { InvalidTaskError } from '../errors/invalid-task.error.js';

/** `Class.method`, for messages. */
export function methodSource(target: object, method: string | symbol): string {
  const name = typeof target === 'function' ? target.name : target.constructor.name;
  return `${name}.${String(method)}`;
}

/** The function a decorator stands on.
 *  @throws InvalidTaskError unless it is an instance's method with a string as its name */
export function ownMethod(
  decorator: string,
  target: object,
  method: string | symbol,
  descriptor: PropertyDescriptor | undefined,
): (...args: unknown[]) => unknown {
  const problem = methodProblem(target, method, descriptor);
  if (problem !== undefined)
    throw new InvalidTaskError(methodSource(target, method), [`${decorator} ${problem}`]);
  return (descriptor as { value: (...args: unknown[]) => unknown }).value;
}

function methodProblem(
  target: object,
  method: string | symbol,
  descriptor: PropertyDescriptor | undefined,
): string | undefined {
  if (typeof target === 'function')
    return 'stands on a static method: make it a method of the instance';
  if (typeof descriptor?.value !== 'function') return 'stands on something other than a method';
  if (typeof method === 'symbol') return 'needs a method with a name: a symbol cannot be stored';
  return undefined;
}
