/** Whether `await` would wait for it. An await of what is there already costs a turn of the microtask queue and, with async hooks,
 *  which AsyncLocalStorage turns on, about a microsecond. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
