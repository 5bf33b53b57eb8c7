/** Where `@Task` leaves what it was given: on the method. */
export const TASK_METADATA = 'conductor:task';

/** Marks the wrapper that `@Step` makes. */
export const STEP_METADATA = 'conductor:step';

/** Injection tokens. */
export const OPTIONS = Symbol('conductor options');
export const CLOCK = Symbol('conductor clock');
