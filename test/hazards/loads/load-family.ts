import { defineTask, type } from '../../../lib/index.js';
import type { Load, Planned } from '../harness/load.js';
import type { Random } from '../harness/random.js';

export interface MemberPayload {
  /** How long its first body takes. */
  bodyMs: number;
  /** What its second body asks for, in its own process. */
  children: Planned<MemberPayload>[];
}

export const raiseFamily = defineTask({
  name: 'hazards.raise-family',
  payload: type<MemberPayload>(),
  returns: type<{ work: string; ask: string }>(),
});

export const familySteps = { work: 'work', ask: 'ask' } as const;

/** How many each asks for, those of the next generation, and so on: 19 executions a family, most of which nobody else is told of. */
const GENERATIONS = [2, 1, 1, 1, 1, 1, 1, 1, 1];

/** Short ones would ask for so much that a claim is always on its way, and what is asked for meanwhile waits for one. */
const BODY_MS: [number, number] = [100, 400];

/** Handlers that invoke: where their process has a slot free, what they ask for starts with the reply. */
export const loadFamily: Load<MemberPayload> = {
  id: 'family',
  description: 'handlers that ask for 2 others, which ask for 1 each, 9 generations long',
  task: raiseFamily,
  bodies: [
    { step: familySteps.work, tries: 1 },
    { step: familySteps.ask, tries: 1 },
  ],
  plan: (count, random) => Array.from({ length: count }, () => member(random, GENERATIONS)),
  asksFor: ({ children }) => children,
  failuresOf: () => 0,

  problemWith(_, result, recorded) {
    const { work, ask } = (result ?? {}) as { work?: string; ask?: string };
    return work === recorded.get(familySteps.work) && ask === recorded.get(familySteps.ask)
      ? undefined
      : 'the result has another effect than was recorded';
  },
};

function member(random: Random, [count = 0, ...generations]: number[]): Planned<MemberPayload> {
  return {
    id: random.uuid(),
    payload: {
      bodyMs: random.integer(...BODY_MS),
      children: Array.from({ length: count }, () => member(random, generations)),
    },
  };
}
