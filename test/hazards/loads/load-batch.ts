import { defineTask, type } from '../../../lib/index.js';
import type { Load } from '../harness/load.js';

export interface BatchPayload {
  index: number;
}

export const endTogether = defineTask({
  name: 'hazards.end-together',
  payload: type<BatchPayload>(),
  returns: type<{ index: number }>(),
});

/** Handlers of one process that all end at the same instant, every two seconds, so that one statement settles them. */
export const BATCH_EVERY_MS = 2_000;

export const loadBatch: Load<BatchPayload> = {
  id: 'batch',
  description: 'handlers without steps that end together',
  task: endTogether,
  bodies: [],
  plan: (count, random) =>
    Array.from({ length: count }, (_, index) => ({ id: random.uuid(), payload: { index } })),
  failuresOf: () => 0,
  problemWith: ({ index }, result) =>
    (result as { index?: number } | null)?.index === index ? undefined : 'the result is another’s',
};
