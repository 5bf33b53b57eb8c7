// Checked by `npm run typecheck`: each line marked with @ts-expect-error has to be an error, every other none.
import { z } from 'zod';
import {
  Conductor,
  defineTask,
  Step,
  Task,
  type,
  type CancelAnswer,
  type TaskContext,
  type TaskEvent,
} from '../../lib/index.js';

declare const conductor: Conductor;

const charge = defineTask({
  name: 'orders.charge',
  queue: 'payments',
  payload: z.object({ orderId: z.string(), at: z.string().transform((text) => new Date(text)) }),
  returns: z.number().transform((cents) => `${cents} ct`),
});
const nothing = defineTask({ name: 'nothing', returns: type<void>() });
const typed = defineTask({
  name: 'typed',
  payload: type<{ id: number }>(),
  returns: type<string>(),
});
const loose = defineTask({ name: 'loose' });

interface AppContext {
  email: { send(to: string): void };
}

export class Handlers {
  @Task(charge)
  async good(event: TaskEvent<typeof charge>, ctx: TaskContext<AppContext>) {
    ctx.email.send('me');
    const at: Date = event.payload.at; // the handler gets what the schema made
    return at.getTime();
  }

  @Task(charge)
  async fewer() {
    return 1;
  }

  // @ts-expect-error -- the contract wants a number
  @Task(charge)
  async wrongResult() {
    return 'paid';
  }

  // @ts-expect-error -- the event of another contract
  @Task(charge)
  async wrongEvent(_event: TaskEvent<typeof typed>) {
    return 1;
  }

  // @ts-expect-error -- no context
  @Task(charge)
  async wrongContext(_event: TaskEvent<typeof charge>, _ctx: Date) {
    return 1;
  }

  @Task('named')
  async anything(event: { payload: number }, ctx: TaskContext) {
    return await ctx.step('one', () => event.payload);
  }

  @Step()
  async load(id: string) {
    return id;
  }

  @Step({ key: (id: string) => id })
  async keyed(id: string) {
    return id;
  }

  // @ts-expect-error -- a step's result is a promise
  @Step()
  notAsync() {
    return 1;
  }

  // @ts-expect-error -- the key is made of the method's own arguments
  @Step({ key: (id: number) => String(id) })
  async wrongKey(id: string) {
    return id;
  }
}

export async function callers(): Promise<unknown[]> {
  const handle = await conductor.invoke(charge, { orderId: '1', at: '2026-11-24' });
  const paid: string = await handle.result();
  // @ts-expect-error -- callers receive what the result's schema made
  const cents: number = await handle.result();
  // @ts-expect-error -- callers pass the schema's input, a string
  await conductor.invoke(charge, { orderId: '1', at: new Date() });
  // @ts-expect-error -- no fall-through to the loose form
  await conductor.invoke(charge, { orderId: 1, at: '' });
  // @ts-expect-error -- the payload is missing
  await conductor.invoke(charge);
  // @ts-expect-error -- no such option
  await conductor.invoke(typed, { id: 1 }, { dalay: 1 });
  await conductor.invoke(typed, { id: 1 }, { delay: '10m', priority: 3 });
  // @ts-expect-error -- not a duration
  await conductor.invoke(typed, { id: 1 }, { delay: 'soon' });
  await conductor.invoke(nothing);
  await conductor.invoke(loose, { anything: true });
  const any: unknown = await conductor.invokeAndWait({ name: 'by name', queue: 'other' }, [1, 2]);
  const many = await conductor.invokeMany(typed, [{ payload: { id: 1 }, priority: 2 }]);
  // @ts-expect-error -- each item's payload is checked
  await conductor.invokeMany(typed, [{ payload: { id: 'one' } }]);
  return [paid, cents, any, many];
}

export async function custom(ctx: TaskContext<AppContext>): Promise<void> {
  const n: number = await ctx.step('n', async () => 1);
  await ctx.sleep('s', '1.5h');
  // @ts-expect-error -- not a duration
  await ctx.sleep('s', '1 fortnight');
  // @ts-expect-error -- no such member
  void ctx.storage;
  void n;
}

export async function cancels(): Promise<CancelAnswer[]> {
  const handle = conductor.handle('0');
  const answer: CancelAnswer = await handle.cancel();
  // @ts-expect-error -- there is no such answer
  void (answer === 'failed');
  // @ts-expect-error -- options are an object
  await handle.cancel('why');
  // @ts-expect-error -- a reason is a text
  await conductor.cancel('0', { reason: new Error('why') });
  // @ts-expect-error -- it needs an id
  await conductor.cancel({ reason: 'why' });
  const { cancelReason, cancelRequestedAt } = await handle.status();
  const why: string | undefined = cancelReason;
  const when: Date | undefined = cancelRequestedAt;
  void [why, when];
  return [answer, await conductor.cancel('0', { reason: 'why' })];
}
