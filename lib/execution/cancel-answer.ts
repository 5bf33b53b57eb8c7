/** What a cancel came to.
 *
 *  - `cancelled`: it did not run, and never will.
 *  - `requested`: its handler runs, and is told. It ends as cancelled, unless it returns a result all the same.
 *  - `too-late`: it had ended.
 *  - `unknown`: no execution has this id, or retention has removed it. */
export type CancelAnswer = 'cancelled' | 'requested' | 'too-late' | 'unknown';

/** How it is coded in SQL. */
export const cancelCode = {
  cancelled: 0,
  requested: 1,
  'too-late': 2,
  unknown: 3,
} as const satisfies Record<CancelAnswer, number>;

export const cancelAnswers = Object.keys(cancelCode) as CancelAnswer[];
