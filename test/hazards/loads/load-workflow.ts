import { defineTask, type } from '../../../lib/index.js';
import type { Load } from '../harness/load.js';

export interface WorkflowPayload {
  index: number;
  /** The executions that it asks for. */
  children: [string, string, string];
}

export interface WorkflowResult {
  /** What its steps named their effects. */
  effects: Record<string, string>;
  /** What it saw on its way: the same, whatever crashes. */
  course: unknown[];
}

export const runWorkflow = defineTask({
  name: 'hazards.run-workflow',
  payload: type<WorkflowPayload>(),
  returns: type<WorkflowResult>(),
});

/** What a workflow asks for. */
export const answer = defineTask({
  name: 'hazards.answer',
  payload: type<{ to: number }>(),
  returns: type<{ answered: number }>(),
});

/** Steps whose effects the result names. */
export const workflowSteps = [
  'first',
  'left',
  'right',
  'flaky',
  'patient',
  'slow',
  'book',
] as const;

/** Fails for good, and its handler goes on. */
export const REFUSED_STEP = 'refused';

/** Is recorded in the transaction of what it writes. */
export const BOOKED_STEP = 'book';

/** What a workflow sees on its way, as its handler puts it down. */
export const courseOf = (index: number): unknown[] => [
  'slept',
  [index * 2, index * 2 + 2, index * 2 + 4],
  'quick won',
  'fast won',
  'caught: Refused on purpose.',
  'asked',
  'booked',
];

/** Everything that a handler can do, once: three steps, a sleep, steps in parallel by ctx.step and by @Step, a step that is
 *  tried again at once and one later, a race of two steps and one against a sleep, an error that is caught, an invoke, a transaction that
 *  enqueues. Every
 *  second one is not run at all: its time is over before it can be started. */
export const loadWorkflow: Load<WorkflowPayload> = {
  id: 'workflow',
  description:
    'a workflow of 16 steps: sleep, parallel, retries, races, a caught error, an invoke, a transaction that enqueues; and one that is overdue',
  task: runWorkflow,
  transactional: [BOOKED_STEP],
  bodies: [
    { step: 'first', tries: 1 },
    { step: 'left', tries: 1 },
    { step: 'right', tries: 1 },
    { step: 'flaky', tries: 2 },
    { step: 'patient', tries: 2 },
    { step: 'slow', tries: 1 },
    { step: REFUSED_STEP, tries: 1 },
  ],

  plan: (count, random) =>
    Array.from({ length: count }, (_, index) => ({
      id: random.uuid(),
      payload: { index, children: [random.uuid(), random.uuid(), random.uuid()] },
    })),

  failuresOf: () => 0,
  failsWith: ({ index }) => (isOverdue({ index }) ? 'CONDUCTOR_EXPIRED' : undefined),

  problemWith({ index }, result, recorded) {
    const { effects = {}, course } = (result ?? {}) as Partial<WorkflowResult>;
    const other = workflowSteps.filter((step) => effects[step] !== recorded.get(step));
    if (other.length > 0)
      return `the result has other effects than were recorded: ${other.join(', ')}`;
    return JSON.stringify(course) === JSON.stringify(courseOf(index))
      ? undefined
      : `it took another course than without a crash: ${JSON.stringify(course)}`;
  },
};

export function isOverdue({ index }: { index: number }): boolean {
  return index % 2 === 1;
}
