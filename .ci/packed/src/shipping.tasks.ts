import { Inject, Injectable, ParseIntPipe, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { Ctx, Payload, Task, TaskContext, TaskRequest } from 'nest-conductor';
import { shipOrder } from './contracts.js';

/** What rests most on Nest's inside: a DI context for each activation, parameter decorators and pipes. */
@Injectable({ scope: Scope.REQUEST })
export class ShippingTasks {
  constructor(@Inject(REQUEST) private readonly request: TaskRequest<{ orderId: string }>) {}

  @Task(shipOrder, { params: 'decorated' })
  async ship(@Payload('parcels', ParseIntPipe) parcels: number, @Ctx() ctx: TaskContext) {
    const { orderId } = this.request.event.payload;
    return await ctx.step('ship', () => `${orderId} in ${parcels + 1} parcels`);
  }
}
