import { defineTask, type } from '../../../lib/index.js';
import type { Load } from '../harness/load.js';

export const poisons = ['exit', 'abort', 'memory', 'loop'] as const;

export interface PoisonPayload {
  index: number;
  bodyMs: number;
  /** What its body does to its process. */
  poison?: (typeof poisons)[number];
}

export const swallow = defineTask({
  name: 'hazards.swallow',
  payload: type<PoisonPayload>(),
  returns: type<{ effect: string }>(),
});

export const SWALLOW_STEP = 'swallow';

const LONGEST_BODY_MS = 200;

/** One in a hundred kills the process that runs it, every time. */
export const loadPoison: Load<PoisonPayload> = {
  id: 'poison',
  description:
    'one step each, one in a hundred with process.exit(1), abort, out of memory or an endless loop',
  task: swallow,
  bodies: [{ step: SWALLOW_STEP, tries: 1 }],
  plan: (count, random) =>
    Array.from({ length: count }, (_, index) => ({
      id: random.uuid(),
      payload: {
        index,
        bodyMs: random.integer(0, LONGEST_BODY_MS),
        poison: index % 100 === 50 ? poisons[Math.floor(index / 100) % poisons.length] : undefined,
      },
    })),
  failuresOf: () => 0,
  failsWith: ({ poison }) => (poison === undefined ? undefined : 'WORKER_LOST'),
  problemWith: (_, result, recorded) =>
    (result as { effect?: string } | null)?.effect === recorded.get(SWALLOW_STEP)
      ? undefined
      : 'the result has another effect than was recorded',
};
