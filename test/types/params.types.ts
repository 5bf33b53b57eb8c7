// Checked by `npm run typecheck`, and by types.spec.ts without strict: each line marked with @ts-expect-error has to be an
// error, every other none. What the mark quotes, the message has to say.
import { createParamDecorator, ParseIntPipe, type ExecutionContext } from '@nestjs/common';
import { z } from 'zod';
import { defineTask } from '../../lib/contracts/define-task.js';
import { type } from '../../lib/contracts/schema.js';
import { TaskEvent } from '../../lib/contracts/task-event.js';
import { Ctx, ExecutionId, Payload } from '../../lib/decorators/params.decorator.js';
import { Task } from '../../lib/decorators/task.decorator.js';
import { TaskContext } from '../../lib/interfaces/task-context.js';
import type { TaskOptions } from '../../lib/interfaces/task-options.js';

const charge = defineTask({
  name: 'orders.charge',
  payload: z.object({ orderId: z.string() }),
  returns: type<{ receipt: string }>(),
});
const Tenant = createParamDecorator((data: string | undefined, host: ExecutionContext) =>
  host.switchToRpc().getData<TaskEvent>(),
);
const wide: TaskOptions = { params: 'decorated' };

export class Decorated {
  @Task(charge, { params: 'decorated' })
  async payload(@Payload() payload: { orderId: string }, @Ctx() ctx: TaskContext) {
    return { receipt: payload.orderId + ctx.attempt };
  }

  @Task(charge, { params: 'decorated', retry: { maxAttempts: 3 } })
  async more(@ExecutionId() id: string, ctx: TaskContext, @Tenant() tenant: string) {
    return { receipt: id + ctx.attempt + tenant };
  }

  @Task(charge)
  async besides(
    event: TaskEvent<typeof charge>,
    @Ctx() ctx: TaskContext,
    @Tenant('id') tenant?: string,
  ) {
    return { receipt: event.payload.orderId + ctx.attempt + tenant };
  }

  @Task('named')
  named(@Payload('orderId', ParseIntPipe) id: number, @Payload(new ParseIntPipe()) all: number) {
    return id + all;
  }

  @Task({ name: 'named too', params: 'decorated' })
  namedToo(@Payload({ schema: z.string() }) id: string) {
    return id;
  }

  // @ts-expect-error -- "the result is not what the contract says"
  @Task(charge, { params: 'decorated' })
  async result(@Payload() payload: { orderId: string }) {
    return { receipt: payload.orderId.length };
  }

  // @ts-expect-error -- "the first parameter is not the event of the contract"
  @Task(charge)
  async unsaid(@Payload() payload: { orderId: string }) {
    return { receipt: payload.orderId };
  }

  // @ts-expect-error -- "the first parameter is not the event of the contract"
  @Task(charge, { retry: { maxAttempts: 3 } })
  async unsaidAmongOthers(@Payload() payload: { orderId: string }) {
    return { receipt: payload.orderId };
  }

  // @ts-expect-error -- "a handler takes an event and a context, nothing more"
  @Task(charge)
  async third(event: TaskEvent<typeof charge>, ctx: TaskContext, @Tenant() tenant: string) {
    return { receipt: event.payload.orderId + ctx.attempt + tenant };
  }

  @Task(charge, wide)
  async optionsThatMaySaySo(event: TaskEvent<typeof charge>) {
    return { receipt: event.payload.orderId };
  }

  // @ts-expect-error -- no such value
  @Task(charge, { params: 'plain' })
  async value(event: TaskEvent<typeof charge>) {
    return { receipt: event.payload.orderId };
  }

  // @ts-expect-error -- no such option
  @Task(charge, { params: 'decorated', parameters: true })
  async option(event: TaskEvent<typeof charge>) {
    return { receipt: event.payload.orderId };
  }

  @Task('number')
  // @ts-expect-error -- a property's name is a string
  number(@Payload(1) first: number) {
    return first;
  }

  @Task('pipe')
  // @ts-expect-error -- not a pipe
  pipe(@Ctx(Date) ctx: TaskContext) {
    return ctx;
  }
}
