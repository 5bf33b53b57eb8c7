/** Runs fn once the microtask queue is empty, without letting a macrotask in between: nextTick callbacks that are queued
 *  from within a microtask run after the last microtask. */
export function afterDrain(fn: () => void): void {
  queueMicrotask(() => process.nextTick(fn));
}

/** Runs fn after the I/O callbacks and timers that are due now. */
export function afterMacrotask(fn: () => void): void {
  setImmediate(fn);
}
