import { defineTask, type } from '../../../lib/index.js';
import type { Load } from '../harness/load.js';
import { LEASE_MS } from '../worker/settings.js';

export interface LongPayload {
  index: number;
  bodyMs: number;
}

export const takeLong = defineTask({
  name: 'hazards.take-long',
  payload: type<LongPayload>(),
  returns: type<{ first: string; second: string }>(),
});

export const longSteps = { first: 'first', second: 'second' } as const;

/** Bodies that outlive a lease. */
export const loadLong: Load<LongPayload> = {
  id: 'long',
  description: '2 steps whose first body takes 1.5 to 2.5 leases',
  task: takeLong,
  bodies: [
    { step: longSteps.first, tries: 1 },
    { step: longSteps.second, tries: 1 },
  ],

  plan: (count, random) =>
    Array.from({ length: count }, (_, index) => ({
      id: random.uuid(),
      payload: { index, bodyMs: random.integer(1.5 * LEASE_MS, 2.5 * LEASE_MS) },
    })),

  failuresOf: () => 0,

  problemWith(_, result, recorded) {
    const { first, second } = (result ?? {}) as { first?: string; second?: string };
    return first === recorded.get(longSteps.first) && second === recorded.get(longSteps.second)
      ? undefined
      : 'the result has another effect than was recorded';
  },
};
