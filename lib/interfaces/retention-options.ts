import type { Duration } from './duration.js';

/** How long what is finished is kept, counted from its end; then all of it is removed. `false`: for ever. `0`: payload, result, error
 *  and steps go as soon as those who wait for the result can have it, 5 to 10 s after the end. An id and how it ended stay for at
 *  least 10 minutes whatever is said here, so that an invoke sent again does not run again. */
export interface RetentionOptions {
  /** Of what completed, and of what was cancelled. Default `'7d'`. */
  completed?: Duration | false;
  /** Of what failed. Default `'30d'`. */
  failed?: Duration | false;
}
