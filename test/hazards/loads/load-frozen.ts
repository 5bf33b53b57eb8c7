import { defineTask, type } from '../../../lib/index.js';
import type { Load } from '../harness/load.js';

/** Where a process stops: at the end of a plain body, before its record; at the end of a transactional one; and between its record
 *  and its COMMIT, with the lock on its run row. */
export const standstills = ['body', 'transaction', 'commit'] as const;
export type Standstill = (typeof standstills)[number];

export interface FrozenPayload {
  index: number;
  bodyMs: number;
  /** Its first attempt stops its whole process here. */
  freezesAt?: Standstill;
}

export const bookFrozen = defineTask({
  name: 'hazards.book-frozen',
  payload: type<FrozenPayload>(),
  returns: type<{ plain: string; booked: string }>(),
});

export const frozenSteps = { plain: 'plain', booked: 'booked' } as const;

const FREEZES_EVERY = 80;
const FIRST_FREEZE = 20;

/** Now and then an attempt whose process stops in the middle of a step. */
export const loadFrozen: Load<FrozenPayload> = {
  id: 'frozen',
  description: `2 steps, one of them transactional; each ${FREEZES_EVERY}th stops its process in the middle of one`,
  task: bookFrozen,
  bodies: [{ step: frozenSteps.plain, tries: 1 }],
  transactional: [frozenSteps.booked],

  plan: (count, random) =>
    Array.from({ length: count }, (_, index) => ({
      id: random.uuid(),
      payload: {
        index,
        bodyMs: random.integer(0, 200),
        ...((index - FIRST_FREEZE) % FREEZES_EVERY === 0 && {
          freezesAt: standstills[((index - FIRST_FREEZE) / FREEZES_EVERY) % standstills.length],
        }),
      },
    })),

  failuresOf: () => 0,

  problemWith(_, result, recorded) {
    const { plain, booked } = (result ?? {}) as { plain?: string; booked?: string };
    return plain === recorded.get(frozenSteps.plain) && booked === recorded.get(frozenSteps.booked)
      ? undefined
      : 'the result has another effect than was recorded';
  },
};
