import { createHash } from 'node:crypto';
import { defineTask, type } from '../../../lib/index.js';
import type { Load } from '../harness/load.js';

const LONGEST_BODY_MS = 200;
const FAILING_SHARE = 0.1;

const places = ['reserve', 'price', 'confirm', 'handler'] as const;

export interface OrderPayload {
  index: number;
  /** How long each body takes. */
  reserveMs: number;
  priceMs: number;
  confirmMs: number;
  /** Where the first attempts throw, if they do. */
  failsIn?: (typeof places)[number];
  /** How many do. Default: one. */
  failing?: number;
}

export interface OrderResult {
  /** Names the one run of the body whose record counts. */
  reservation: string;
  price: string;
  confirmation: string;
}

export const placeOrder = defineTask({
  name: 'hazards.place-order',
  payload: type<OrderPayload>(),
  returns: type<OrderResult>(),
});

/** Pure: the same for an order in every attempt. */
export function priceOf(index: number, reservation: string): string {
  return createHash('sha256').update(`${index} ${reservation}`).digest('hex').slice(0, 16);
}

/** As the steps are recorded: one by ctx.step, two by @Step. */
export const orderSteps = {
  reserve: 'reserve',
  price: 'OrderSteps.price',
  confirm: 'OrderSteps.confirm',
} as const;

export const loadA: Load<OrderPayload> = {
  id: 'A',
  description: 'A: 3 steps (effect, pure, transactional), 10 % throw once',
  task: placeOrder,
  bodies: [{ step: orderSteps.reserve, tries: 1 }],
  transactional: [orderSteps.confirm],

  plan: (count, random) =>
    Array.from({ length: count }, (_, index) => ({
      id: random.uuid(),
      payload: {
        index,
        reserveMs: random.integer(0, LONGEST_BODY_MS),
        priceMs: random.integer(0, LONGEST_BODY_MS),
        confirmMs: random.integer(0, LONGEST_BODY_MS),
        failsIn: random.chance(FAILING_SHARE) ? random.pick(places) : undefined,
      },
    })),

  failuresOf: ({ failsIn, failing = 1 }) => (failsIn === undefined ? 0 : failing),

  problemWith({ index }, result, recorded) {
    if (typeof result !== 'object' || result === null) return `the result is ${String(result)}`;
    const { reservation, price, confirmation } = result as OrderResult;
    if (reservation !== recorded.get(orderSteps.reserve))
      return 'the result has another reservation than was recorded';
    if (price !== recorded.get(orderSteps.price))
      return 'the result has another price than was recorded';
    if (price !== priceOf(index, reservation))
      return 'the price was not computed from the reservation that was recorded';
    if (confirmation !== recorded.get(orderSteps.confirm))
      return 'the result has another confirmation than was recorded';
    return undefined;
  },
};

/** Every order is on its last attempt for most of its time. */
export const loadLastAttempt: Load<OrderPayload> = {
  ...loadA,
  description: 'A with every order thrown out of its first two attempts of three',
  plan: (count, random) =>
    loadA.plan(count, random).map(({ id, payload }) => ({
      id,
      payload: { ...payload, reserveMs: 0, failsIn: 'reserve', failing: 2 },
    })),
};
