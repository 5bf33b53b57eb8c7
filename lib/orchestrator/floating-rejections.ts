import { Logger } from '@nestjs/common';
import { currentExecution } from '../execution/current-execution.js';
import { serializeError } from '../execution/serialized-error.js';

/** Takes a rejection that it knows the origin of. */
type Attribute = (reason: unknown) => boolean;

interface Watch {
  attributes: Set<Attribute>;
  listener: (reason: unknown) => void;
}

/** One listener for the process, also where two copies of this package are loaded. */
const WATCH = Symbol.for('nest-conductor.floating-rejections');
const shared = globalThis as { [WATCH]?: Watch };

/** While a worker runs, a promise of an execution that is rejected before anybody awaits it must not end the process, as Node has
 *  it: `const p = helper(ctx); await ctx.sleep(…); await p` is correct code. What no execution caused ends the process as it
 *  would without us, unless somebody else listens.
 *  @returns stops watching */
export function watchFloatingRejections(): () => void {
  const logger = new Logger('Conductor');
  // the async context within the listener is that of the promise
  const attribute: Attribute = (reason) => {
    const owner = currentExecution.get()?.owner;
    if (owner === undefined) return false;
    const { name, message } = serializeError(reason);
    logger.warn(
      `A promise of execution ${owner.executionId} (task "${owner.taskName}") was rejected before anything awaited it: ` +
        `${name}: ${message}. Await it, or give it a catch.`,
    );
    return true;
  };
  const watch = (shared[WATCH] ??= begin());
  watch.attributes.add(attribute);
  return () => {
    watch.attributes.delete(attribute);
    if (watch.attributes.size > 0) return;
    process.off('unhandledRejection', watch.listener);
    if (shared[WATCH] === watch) delete shared[WATCH];
  };
}

function begin(): Watch {
  const attributes = new Set<Attribute>();
  const listener = (reason: unknown) => {
    for (const attribute of attributes) if (attribute(reason)) return;
    if (process.listenerCount('unhandledRejection') === 1) throw reason;
  };
  process.on('unhandledRejection', listener);
  return { attributes, listener };
}
