import { Module, type DynamicModule } from '@nestjs/common';
import { ConductorModule } from 'nest-conductor';
import { AppContext } from './app.context.js';
import { OrderSteps } from './order.steps.js';
import { OrderTasks } from './order.tasks.js';
import { ShippingTasks } from './shipping.tasks.js';

@Module({})
export class AppModule {
  static connectedTo(url: string): DynamicModule {
    return {
      module: AppModule,
      imports: [ConductorModule.forRoot({ connection: { url }, context: AppContext })],
      providers: [OrderTasks, OrderSteps, ShippingTasks],
    };
  }
}
