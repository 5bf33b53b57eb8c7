import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskEvent } from 'nest-conductor';
import { AppContext } from './app.context.js';
import { chargeOrder } from './contracts.js';
import { OrderSteps } from './order.steps.js';

@Injectable()
export class OrderTasks {
  constructor(private readonly steps: OrderSteps) {}

  @Task(chargeOrder)
  async charge(event: TaskEvent<typeof chargeOrder>, ctx: TaskContext<AppContext>) {
    const total = await this.steps.total(event.payload.orderId);
    await ctx.sleep('cool-off', 10); // the handler runs again from its top: the step's body must not
    const receiptId = await ctx.step('pay', () => ctx.pay(total));
    return { receiptId, bodies: this.steps.bodies };
  }
}
