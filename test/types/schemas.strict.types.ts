// Checked by `npm run typecheck`, and by types.spec.ts under strict only: without strictNullChecks arktype refuses to work, and
// undefined cannot be told from other types. Each line marked with @ts-expect-error has to be an error, every other none.
import { type as ark } from 'arktype';
import * as v from 'valibot';
import { z } from 'zod';
import {
  Conductor,
  defineTask,
  Task,
  TaskEvent,
  type,
  type TaskContract,
} from '../../lib/index.js';

type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(yes: Same<A, B>): void;

type Four<C> =
  C extends TaskContract<string, infer PI, infer PO, infer RI, infer RO> ? [PI, PO, RI, RO] : never;

declare const conductor: Conductor;

const zod = defineTask({
  name: 'zod',
  payload: z.object({ n: z.string().transform(Number), more: z.boolean().default(true) }),
  returns: z.number().transform(String),
});
const arktype = defineTask({
  name: 'arktype',
  payload: ark({ n: ark('string').pipe((text) => text.length), more: 'boolean = true' }),
  returns: ark('number').pipe((n) => `${n}`),
});
const optional = defineTask({ name: 'optional', payload: z.string().optional() });
const withDefault = defineTask({ name: 'default', payload: v.optional(v.number(), 5) });
const orUndefined = defineTask({ name: 'undefined', payload: type<number | undefined>() });
const orNull = defineTask({ name: 'or-null', payload: z.string().nullable() });

export function fourTypes(): void {
  type In = { n: string; more?: boolean | undefined };
  type Out = { n: number; more: boolean };
  same<Four<typeof zod>, [In, Out, number, string]>(true);
  same<Four<typeof arktype>, [{ n: string; more?: boolean }, Out, number, string]>(true);
  same<Four<typeof withDefault>, [number | undefined, number, unknown, unknown]>(true);
}

export class Handlers {
  @Task(arktype)
  ark({ payload }: TaskEvent<typeof arktype>) {
    return payload.n;
  }

  @Task(withDefault)
  filled({ payload }: TaskEvent<typeof withDefault>) {
    return payload.toFixed();
  }

  @Task(optional)
  notFilled({ payload }: TaskEvent<typeof optional>) {
    // @ts-expect-error -- it may be undefined
    return payload.length;
  }

  // @ts-expect-error -- "the result is not what the contract says"
  @Task(arktype)
  output() {
    return 'what callers receive';
  }

  // @ts-expect-error -- "the first parameter is not the event of the contract"
  @Task(orNull)
  never(_event: { payload: string }) {}
}

export async function callers(): Promise<void> {
  await conductor.invoke(arktype, { n: 'text' });
  // @ts-expect-error -- what the handler gets is not what callers pass
  await conductor.invoke(arktype, { n: 1 });
  // @ts-expect-error -- the payload is missing
  await conductor.invoke(arktype);

  await conductor.invoke(optional);
  await conductor.invoke(withDefault);
  await conductor.invoke(orUndefined);
  await conductor.invokeAndWait(optional);
  await conductor.invokeAndWait(withDefault, undefined, { timeout: '1m' });
  await conductor.invoke(orNull, null);
  // @ts-expect-error -- null may be passed, and nothing may not
  await conductor.invoke(orNull);
  // @ts-expect-error -- null is not undefined
  await conductor.invoke(optional, null);
}
