// Checked by `npm run typecheck`, and by types.spec.ts without strict: each line marked with @ts-expect-error has to be an
// error, every other none. What the mark quotes, the message has to say.
import { z } from 'zod';
import { defineTask } from '../../lib/contracts/define-task.js';
import { type } from '../../lib/contracts/schema.js';
import { TaskEvent } from '../../lib/contracts/task-event.js';
import type { PayloadOf, ResultOf, TaskContract } from '../../lib/contracts/task-ref.js';
import type { EntityManager } from 'typeorm';
import { Step } from '../../lib/decorators/step.decorator.js';
import { Tx } from '../../lib/decorators/tx.decorator.js';
import { Task } from '../../lib/decorators/task.decorator.js';
// a plain import, as an editor writes it: with isolatedModules and emitDecoratorMetadata a type alone would be an error here
import { TaskContext, type BaseContext } from '../../lib/interfaces/task-context.js';

const charge = defineTask({
  name: 'orders.charge',
  payload: z.object({ orderId: z.string(), cents: z.coerce.number<string>() }),
  returns: type<{ receipt: string }>(),
});
const ship = defineTask({ name: 'orders.ship', payload: type<{ orderId: string; to: string }>() });
const notify = defineTask({ name: 'orders.notify', returns: type<void>() });
const anything = defineTask({ name: 'anything' });

class Mailer {
  constructor(private readonly sender: string) {}
  send(to: string): string {
    return this.sender + to;
  }
}
class AppContext {
  constructor(
    readonly mailer: Mailer,
    private readonly secret: string,
  ) {}
  get greeting(): string {
    return this.secret;
  }
}

export class Events {
  @Task(charge)
  async whole(event: TaskEvent<typeof charge>) {
    const { name }: { name: 'conductor.invoke' } = event;
    const cents: number = event.payload.cents;
    // @ts-expect-error -- the payload is what the schema made
    const text: string = event.payload.cents;
    return { receipt: `${name} ${cents} ${text}` };
  }

  @Task(charge)
  async part({ payload: { orderId } }: { payload: { orderId: string } }) {
    return { receipt: orderId };
  }

  @Task(charge)
  async oneOfSeveral(event: TaskEvent<typeof charge> | { name: 'nightly'; payload: null }) {
    return { receipt: event.name };
  }

  @Task(charge)
  async unknownEvent(_event: unknown) {
    return { receipt: '' };
  }

  @Task(anything)
  async withoutPayload(event: TaskEvent, other: TaskContext) {
    // @ts-expect-error -- nobody said what it is
    const payload: string = event.payload;
    return [payload, other.attempt];
  }

  // @ts-expect-error -- "the first parameter is not the event of the contract"
  @Task(charge)
  async otherContract(_event: TaskEvent<typeof ship>) {
    return { receipt: '' };
  }

  // without strictFunctionTypes a parameter may be narrower than what is passed: not here
  // @ts-expect-error -- "the first parameter is not the event of the contract"
  @Task(charge)
  async wantsMore(_event: { payload: { orderId: string; cents: number; customer: string } }) {
    return { receipt: '' };
  }

  // @ts-expect-error -- "the first parameter is not the event of the contract"
  @Task(charge)
  async payloadInPlaceOfEvent(_payload: { orderId: string; cents: number }) {
    return { receipt: '' };
  }

  // @ts-expect-error -- "the first parameter is not the event of the contract"
  @Task(anything)
  async assumesPayload(_event: { payload: { orderId: string } }) {}

  // @ts-expect-error -- "a handler takes an event and a context, nothing more"
  @Task(charge)
  async three(_event: TaskEvent<typeof charge>, _ctx: TaskContext, _more: string) {
    return { receipt: '' };
  }

  @Task(charge)
  async threeAtWill(_event: TaskEvent<typeof charge>, _ctx?: TaskContext, more = 'default') {
    return { receipt: more };
  }
}

export class Contexts {
  @Task(notify)
  async custom(_event: unknown, ctx: TaskContext<AppContext>) {
    ctx.mailer.send(ctx.greeting + ctx.executionId);
    // @ts-expect-error -- private
    void ctx.secret;
    // @ts-expect-error -- read-only
    ctx.mailer = new Mailer('');
  }

  @Task(notify)
  async base(_event: unknown, ctx: BaseContext) {
    await ctx.sleep('nap', '1s');
  }

  @Task(notify)
  async part(_event: unknown, { logger }: Pick<TaskContext<AppContext>, 'logger' | 'mailer'>) {
    logger.info('hello');
  }

  @Task(notify)
  async untyped(_event: unknown, _ctx: unknown) {}

  // @ts-expect-error -- "the second parameter is not a TaskContext"
  @Task(notify)
  async primitive(_event: unknown, _ctx: string) {}

  // @ts-expect-error -- "the second parameter is not a TaskContext"
  @Task(notify)
  async onlyCustom(_event: unknown, _ctx: AppContext) {}

  // @ts-expect-error -- "the second parameter is not a TaskContext"
  @Task(notify)
  async clashing(_event: unknown, _ctx: { executionId: number }) {}
}

// @ts-expect-error -- a custom context may not replace what is built in
export type Clashing = TaskContext<{ logger: Mailer }>;

export class Results {
  @Task(charge)
  synchronous() {
    return { receipt: '', more: true };
  }

  @Task(charge)
  never(): never {
    throw new Error('always');
  }

  @Task(notify)
  nothing() {}

  @Task(anything)
  whatever() {
    return Symbol('anything is a result, as far as types go');
  }

  // @ts-expect-error -- "the result is not what the contract says"
  @Task(charge)
  async wrong() {
    return { receipt: 1 };
  }

  // @ts-expect-error -- "the result is not what the contract says"
  @Task(charge)
  async missing() {}

  // @ts-expect-error -- "the result is not what the contract says"
  @Task(notify)
  async tooMuch() {
    return 1;
  }
}

export class Named {
  @Task('one', { retry: { maxAttempts: 3, backoff: { type: 'fixed', delay: '1s' } } })
  one(event: { payload: Date }) {
    return event.payload;
  }

  @Task({ name: 'two', queue: 'other', priority: 3 })
  two() {}

  // @ts-expect-error -- no such option
  @Task('three', { retries: 3 })
  three() {}

  // @ts-expect-error -- no such option
  @Task({ name: 'four', payload: z.string() })
  four() {}

  // @ts-expect-error -- no such option, and a contract is none of the loose forms
  @Task(charge, { retries: 3 })
  async five() {
    return { receipt: '' };
  }

  // @ts-expect-error -- not a method
  @Task('six')
  six = 6;

  // @ts-expect-error -- not a method
  @Task('seven')
  get seven() {
    return 7;
  }
}

export class Steps {
  @Step()
  async plain() {}

  @Step({ name: 'reserve', retry: { maxAttempts: 5, backoff: 'fixed' } })
  async reserve<T>(value: T): Promise<T> {
    return value;
  }

  @Step()
  promise(id: string, ...more: number[]) {
    return Promise.resolve(id + more.length);
  }

  @Step({ key: (id: string) => id })
  async keyOfTheFirst(id: string, amount: number) {
    return id + amount;
  }

  @Step({ key: (id: string, amount = 0) => `${id} ${amount}` })
  async keyOfBoth(id: string, amount?: number) {
    return id + amount;
  }

  @Step({ key: () => 'always' })
  async keyOfNone(id: string) {
    return id;
  }

  @Step({ key: (order: { id: string }) => order.id })
  async keyOfLess(order: { id: string; customer: string }) {
    return order;
  }

  // @ts-expect-error -- not a promise
  @Step()
  synchronous() {
    return 1;
  }

  // @ts-expect-error -- not a promise
  @Step()
  async *generator() {
    yield 1;
  }

  // @ts-expect-error -- "the key takes other arguments than the method"
  @Step({ key: (id: number) => String(id) })
  async keyOfAnother(id: string) {
    return id;
  }

  // without strictFunctionTypes a parameter may be narrower than what is passed: not here
  // @ts-expect-error -- "the key takes other arguments than the method"
  @Step({ key: (order: { id: string; customer: string }) => order.customer })
  async keyOfMore(order: { id: string }) {
    return order;
  }

  // @ts-expect-error -- "the key takes other arguments than the method"
  @Step({ key: (id: string, more: string) => id + more })
  async keyOfMissing(id: string) {
    return id;
  }

  // @ts-expect-error -- a key is a string
  @Step({ key: (id: string) => id.length })
  async keyOfNumbers(id: string) {
    return id;
  }

  @Step({ transactional: true, key: (id: string) => id })
  async paid(id: string, @Tx() em?: EntityManager) {
    await em!.query(id);
    return id;
  }

  // @ts-expect-error -- a yes or a no
  @Step({ transactional: 'always' })
  async transactional() {}

  @Step({ timeout: '5s', retry: { maxAttempts: 2 } })
  async limited() {}

  // @ts-expect-error -- no such option
  @Step({ timeuot: '5s' })
  async option() {}

  // @ts-expect-error -- no such duration
  @Step({ timeout: 'soon' })
  async duration() {}
}

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(yes: Same<A, B>): void;

export async function transactions(ctx: TaskContext): Promise<string> {
  const receipt = await ctx.transaction('pay', async (em) => {
    // @ts-expect-error -- an EntityManager has no such method
    void em.charge;
    await em.query('select 1');
    return { id: 'r' };
  });
  same<typeof receipt, { id: string }>(true);
  // @ts-expect-error -- nothing to run
  await ctx.transaction('pay');
  return receipt.id;
}

export function contracts(): TaskContract[] {
  const name: 'orders.charge' = charge.name;
  const queue: string = charge.queue;
  same<PayloadOf<typeof charge>['cents'], string>(true);
  same<ResultOf<typeof charge>, { receipt: string }>(true);
  same<ResultOf<typeof notify>, void>(true);
  same<PayloadOf<typeof anything>, unknown>(true);
  same<ResultOf<typeof anything>, unknown>(true);
  // @ts-expect-error -- this check would notice
  same<ResultOf<typeof charge>, unknown>(true);
  // @ts-expect-error -- frozen
  charge.queue = `${name}${queue}`;
  // @ts-expect-error -- a function is no schema
  defineTask({ name: 'x', payload: () => 'x' });
  // @ts-expect-error -- how a task is run is no part of a contract
  defineTask({ name: 'x', retry: { maxAttempts: 1 } });
  // @ts-expect-error -- it needs a name
  defineTask({ queue: 'x' });
  return [charge, ship, notify, anything];
}
