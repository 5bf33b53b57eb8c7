import type { RetryOptions } from './retry-options.js';

/** How a task's executions are run. Workers write these to the database when they boot, so that clients need not know them. */
export interface TaskOptions {
  /** The queue the task's executions wait in. Default `'default'`. A contract names the queue itself: another one here fails the boot. */
  queue?: string;
  /** Attempts and the waits between them. Default: the module's `defaults.retry`, else 3 attempts with exponential backoff. */
  retry?: RetryOptions;
  /** Priority of an execution whose invoke names none: higher runs first, -32768 to 32767. Default 0. */
  priority?: number;
  /** How many times its process may vanish under a started execution before it ends as `WORKER_LOST`; `false`: never. Default 3. */
  maxLosses?: number | false;
  /** Where two deploys disagree on a task's settings, the higher version wins; the last to boot among equals. Default 0. */
  version?: number;
}

/** The defaults of a module, beneath each task's own options. */
export interface TaskDefaults {
  retry?: RetryOptions;
}
