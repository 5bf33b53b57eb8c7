// Checked by `npm run typecheck`, and by types.spec.ts without strict: each line marked with @ts-expect-error has to be an
// error, every other none. What the mark quotes, the message has to say.
import { IsInt, IsString, ValidateNested } from 'class-validator';
import * as v from 'valibot';
import { z } from 'zod';
// plain imports, as an editor writes them: with isolatedModules and emitDecoratorMetadata a type alone would be an error
import {
  Conductor,
  defineTask,
  ExecutionHandle,
  InvokedExecution,
  Task,
  TaskContext,
  TaskEvent,
  type,
  type DataOf,
  type PayloadOf,
  type ResultOf,
  type TaskContract,
} from '../../lib/index.js';

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(yes: Same<A, B>): void;

/** The four types: what callers pass, what the handler gets and returns, what callers receive. */
type Four<C> =
  C extends TaskContract<string, infer PI, infer PO, infer RI, infer RO> ? [PI, PO, RI, RO] : never;

declare const conductor: Conductor;

export class Address {
  @IsString()
  readonly street!: string;

  label(): string {
    return this.street;
  }
}

export class Order {
  @IsString()
  id!: string;

  @ValidateNested()
  address!: Address;

  @ValidateNested({ each: true })
  past?: Address[];

  @IsInt()
  count? = 1;

  at?: Date;

  private secret?: string;

  constructor(secret?: string) {
    this.secret = secret;
  }

  later?: () => void;

  isSecret(): boolean {
    return this.secret !== undefined;
  }
}

export class Receipt {
  @IsString()
  id!: string;

  shown(): string {
    return this.id;
  }
}

const dto = defineTask({ name: 'dto', payload: Order, returns: Receipt });
const zod = defineTask({
  name: 'zod',
  payload: z.object({ n: z.string().transform(Number), more: z.boolean().default(true) }),
  returns: z.number().transform(String),
});
const valibot = defineTask({
  name: 'valibot',
  payload: v.objectAsync({ n: v.pipe(v.string(), v.transform(Number)) }),
  returns: v.pipe(v.number(), v.transform(String)),
});
const types = defineTask({ name: 'types', payload: type<[number]>(), returns: type<void>() });
const neither = defineTask({ name: 'neither' });
const optional = defineTask({ name: 'optional', payload: z.string().optional() });
const nothing = defineTask({ name: 'nothing', payload: type<void>(), returns: type<void>() });

export class Both {
  static readonly '~standard' = zod.payload![
    '~standard'
  ] as unknown as (typeof numeric)['~standard'];
  method() {}
}
const numeric = z.number();
const both = defineTask({ name: 'both', payload: Both });

interface OrderData {
  id: string;
  address: { readonly street: string };
  past?: { readonly street: string }[];
  count?: number;
  at?: Date;
}

export function fourTypes(): void {
  same<Four<typeof dto>, [DataOf<Order>, Order, DataOf<Receipt>, DataOf<Receipt>]>(true);
  same<DataOf<Receipt>, { id: string }>(true);
  same<keyof DataOf<Order>, keyof OrderData>(true);
  same<keyof DataOf<Order>['address'], 'street'>(true);
  same<DataOf<Order>['at'], OrderData['at']>(true);
  same<Four<typeof valibot>, [{ n: string }, { n: number }, number, string]>(true);
  same<Four<typeof types>, [[number], [number], void, void]>(true);
  same<Four<typeof neither>, [unknown, unknown, unknown, unknown]>(true);
  same<PayloadOf<typeof zod>['n'], string>(true);
  same<ResultOf<typeof zod>, string>(true);
  // a class that is a Standard Schema is taken as one
  same<PayloadOf<typeof both>, number>(true);
  // @ts-expect-error -- the handler gets more than callers pass
  same<PayloadOf<typeof dto>, Order>(true);
  // @ts-expect-error -- callers receive what was stored, without methods
  same<ResultOf<typeof dto>, Receipt>(true);
}

export function kept(data: DataOf<{ map: Map<string, Address>; bytes: Uint8Array; any: unknown }>) {
  same<typeof data.map, Map<string, Address>>(true);
  same<typeof data.bytes, Uint8Array>(true);
  same<typeof data.any, unknown>(true);
  same<DataOf<[Address, number]>, [{ readonly street: string }, number]>(true);
}

export abstract class Abstract {
  id!: string;
}

export function definitions(): void {
  // @ts-expect-error -- nothing can be made of an abstract class
  defineTask({ name: 'x', payload: Abstract });
  // @ts-expect-error -- an instance is no class
  defineTask({ name: 'x', payload: new Order() });
  // @ts-expect-error -- a function is no class
  defineTask({ name: 'x', returns: () => Order });
  // @ts-expect-error -- a schema of no standard
  defineTask({ name: 'x', payload: { type: 'object' } });
}

export class Handlers {
  @Task(dto)
  async instance(event: TaskEvent<typeof dto>, _ctx: TaskContext) {
    event.payload.address.label();
    event.payload.isSecret();
    // @ts-expect-error -- private
    void event.payload.secret;
    const receipt: Receipt = new Receipt();
    return receipt;
  }

  @Task(dto)
  data({ payload }: { payload: { id: string } }) {
    return { id: payload.id };
  }

  @Task(valibot)
  async valibot({ payload }: TaskEvent<typeof valibot>) {
    return payload.n;
  }

  @Task(nothing)
  async nothing() {}

  // @ts-expect-error -- "the result is not what the contract says"
  @Task(dto)
  async notTheReceipt() {
    return { id: 1 };
  }

  // @ts-expect-error -- "the result is not what the contract says"
  @Task(valibot)
  output() {
    return 'what callers receive';
  }

  // @ts-expect-error -- "the result is not what the contract says"
  @Task(nothing)
  something() {
    return 'something';
  }

  // @ts-expect-error -- "the first parameter is not the event of the contract"
  @Task(dto)
  async otherClass(_event: { payload: Receipt }) {
    return { id: 'x' };
  }

  // @ts-expect-error -- "the first parameter is not the event of the contract"
  @Task(valibot)
  async input(_event: { payload: { n: string } }) {
    return 1;
  }

  // @ts-expect-error -- "the second parameter is not a TaskContext"
  @Task(dto)
  async noContext(_event: TaskEvent<typeof dto>, _ctx: Receipt) {
    return { id: 'x' };
  }
}

export async function callers(order: Order): Promise<unknown> {
  const handle: InvokedExecution<{ id: string }> = await conductor.invoke(dto, {
    id: 'a',
    address: { street: 's' },
    past: [{ street: 't' }],
  });
  await conductor.invoke(dto, order);
  const received = await handle.result();
  // @ts-expect-error -- data has no methods
  received.shown();
  const known: ExecutionHandle = conductor.handle(handle.id);

  // No fall-through to the loose form, which would take anything:
  // @ts-expect-error -- a nested property of another type
  await conductor.invoke(dto, { id: 'a', address: { street: 1 } });
  // @ts-expect-error -- a property is missing
  await conductor.invoke(dto, { id: 'a' });
  // @ts-expect-error -- no such property
  await conductor.invoke(dto, { id: 'a', address: { street: 's' }, more: 1 });
  // @ts-expect-error -- what the handler gets is not what callers pass
  await conductor.invoke(valibot, { n: 1 });
  // @ts-expect-error -- as above
  await conductor.invokeAndWait(zod, { n: 1 });
  // @ts-expect-error -- as above
  await conductor.invokeMany(zod, [{ payload: { n: 1 } }]);
  // @ts-expect-error -- the payload is missing
  await conductor.invoke(dto);
  // @ts-expect-error -- the payload is missing
  await conductor.invokeAndWait(dto);
  // @ts-expect-error -- a tuple of one number
  await conductor.invoke(types, [1, 2]);

  await conductor.invoke(zod, { n: '1' });
  await conductor.invoke(optional, undefined, { delay: '1m' });
  await conductor.invoke(optional, 'text');
  await conductor.invoke(neither);
  await conductor.invoke(nothing);
  await conductor.invokeAndWait(nothing);
  await conductor.invokeAndWait(nothing, undefined, { timeout: '1m', priority: 1 });
  await conductor.invokeAndWait(neither);
  // @ts-expect-error -- not a text
  await conductor.invoke(optional, 1);
  // @ts-expect-error -- there is no payload
  await conductor.invoke(nothing, { some: 'payload' });
  const done: void = await conductor.invokeAndWait(nothing);
  return [known, done];
}
