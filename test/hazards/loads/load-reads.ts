import { defineTask, type } from '../../../lib/index.js';
import type { Load } from '../harness/load.js';

export interface ReadPayload {
  index: number;
  /** How often its body reads. */
  reads: number;
}

export const readQueues = defineTask({
  name: 'hazards.read-queues',
  payload: type<ReadPayload>(),
  returns: type<{ effect: string }>(),
});

export const READ_STEP = 'read';

/** Handlers that read through the conductor, and so hold connections of its pool. */
export const loadReads: Load<ReadPayload> = {
  id: 'reads',
  description: 'one step whose body reads through the engine’s own pool',
  task: readQueues,
  bodies: [{ step: READ_STEP, tries: 1 }],

  plan: (count, random) =>
    Array.from({ length: count }, (_, index) => ({
      id: random.uuid(),
      payload: { index, reads: random.integer(1, 5) },
    })),

  failuresOf: () => 0,

  problemWith: (_, result, recorded) =>
    (result as { effect?: string } | null)?.effect === recorded.get(READ_STEP)
      ? undefined
      : 'the result has another effect than was recorded',
};
