/** Where `@Task` leaves what it was given: on the method. */
export const TASK_METADATA = 'conductor:task';

/** What `@Step` leaves on the wrapper that it makes. */
export const STEP_METADATA = 'conductor:step';

/** Indexes of a method's parameters that `@Tx` stands on. */
export const TX_METADATA = 'conductor:tx';

/** Where a handler's parameters are described for Nest: the decorated ones, and the first two. */
export const PARAMS_METADATA = 'conductor:params';

/** Marks the factories of our own parameter decorators. From the global registry: a bundler may have put this module into the process
 *  twice. */
export const PARAM: unique symbol = Symbol.for('nest-conductor.param');

/** Injection tokens. */
export const OPTIONS = Symbol('conductor options');
export const CLOCK = Symbol('conductor clock');
