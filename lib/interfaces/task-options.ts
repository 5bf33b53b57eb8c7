import type { Duration } from './duration.js';
import type { Injected } from './injected.js';
import type { RetentionOptions } from './retention-options.js';
import type { RetryOptions } from './retry-options.js';

/** A task's options as they are once it is known what injected ones come to. */
export interface TaskSettings {
  /** The queue the task's executions wait in. Default `'default'`. A contract names the queue itself: another one here fails the boot. */
  queue?: string;
  /** Attempts and the waits between them. Default: the module's `defaults.retry`, else 3 attempts with exponential backoff. */
  retry?: RetryOptions;
  /** How long one activation may run, at most 24 days; waiting for a sleep does not count. Then the signal is aborted, ctx calls
   *  are refused, and the attempt has failed with an AttemptTimeoutError: as soon as the handler has ended, or 5 s later,
   *  when it is left behind and whatever it still does is ignored. Default: the module's `defaults.timeout`, else no limit. */
  timeout?: Duration;
  /** How long after the time at which it may start an execution may be started at all; then it fails with an ExpiredError.
   *  An execution that was started once does not expire. Default: never. */
  expireAfter?: Duration;
  /** How long after the time at which it may start the whole execution may take, waits and retries included; then it fails with
   *  a DeadlineExceededError: at once while it waits, as with `timeout` while it runs. Default: for ever. */
  deadline?: Duration;
  /** How long its executions are kept once they have ended. A setting that changes also counts for those that have ended before.
   *  Default: the module's `defaults.retention`, else 7 days, and 30 of what failed. */
  retention?: RetentionOptions;
  /** Priority of an execution whose invoke names none: higher runs first, -32768 to 32767. Default 0. */
  priority?: number;
  /** How many times its process may vanish under a started execution before it ends as `WORKER_LOST`; `false`: never. Default 3. */
  maxLosses?: number | false;
  /** Where two deploys disagree on a task's settings, the higher version wins; the last to boot among equals. Default 0. */
  version?: number;
  /** `'decorated'`: decorators say what the handler's first or second parameter gets, such as `@Payload()`. The compiler cannot see
   *  them, so of a contract's handler it checks the result alone. A handler that does not fit fails the boot. */
  params?: 'decorated';
}

/** T as configuration has it: durations are any strings, checked at boot. */
type FromConfig<T> = [Duration] extends [T] ? T | string : PartsFromConfig<T>;
type PartsFromConfig<T> = T extends (...args: never[]) => unknown
  ? T
  : T extends object
    ? { [K in keyof T]: FromConfig<T[K]> }
    : T;

// it is for the compiler, which sees no factory's result
type InjectableSettings = Omit<TaskSettings, 'params'>;

type OrInjected<T> = {
  [K in keyof T]: T[K] | Injected<FromConfig<T[K]>>;
};

/** How a task's executions are run. Workers write these to the database when they boot, so that clients need not know them.
 *
 *  Each may be `{ inject, useFactory }` in place of its value, as with Nest's providers, and `inject` and `useFactory` may stand
 *  beside them: what that returns stands over them. Factories are called once, at boot, and may be asynchronous; what they return is
 *  checked as if it had been written there, but undefined is an option that was not given. */
export interface TaskOptions
  extends OrInjected<InjectableSettings>, Partial<Injected<FromConfig<InjectableSettings>>> {
  params?: TaskSettings['params'];
}

/** The defaults of a module, beneath each task's own options. */
export interface TaskDefaults {
  retry?: RetryOptions;
  timeout?: Duration;
  retention?: RetentionOptions;
}
