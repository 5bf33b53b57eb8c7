import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Column, DataSource, Entity, PrimaryGeneratedColumn } from 'typeorm';
import { Conductor, ConductorModule, defineTask, Task, TaskEvent, type } from '../../lib/index.js';
import { startPostgres } from '../../lib/embedded/index.js';

const sendReceipt = defineTask({
  name: 'orders.send-receipt',
  payload: type<{ orderId: number }>(),
});

@Entity('sample_order')
class Order {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column('text')
  article!: string;
}

@Injectable()
class Orders {
  constructor(
    private readonly dataSource: DataSource,
    private readonly conductor: Conductor,
  ) {}

  /** The order and the task to send its receipt are committed together, or neither is. */
  async place(article: string, isPaid: boolean): Promise<string> {
    return await this.dataSource.transaction(async (em) => {
      const { id } = await em.save(Order, { article });
      const receipt = await this.conductor.using(em).invoke(sendReceipt, { orderId: id });
      if (!isPaid) throw new Error(`the payment of "${article}" was declined`);
      return receipt.id; // all there is to know of it before the commit
    });
  }
}

@Injectable()
class ReceiptTasks {
  constructor(private readonly dataSource: DataSource) {}

  @Task(sendReceipt)
  async send({ payload: { orderId } }: TaskEvent<typeof sendReceipt>) {
    // it cannot come before the order does
    const order = await this.dataSource.manager.findOneByOrFail(Order, { id: orderId });
    console.log(`receipt for "${order.article}" sent`);
  }
}

const postgres = await startPostgres();
const { url } = postgres;

@Module({
  imports: [
    TypeOrmModule.forRoot({ type: 'postgres', url, entities: [Order], synchronize: true }),
    ConductorModule.forRoot({ connection: { url }, schema: 'conductor_orders' }),
  ],
  providers: [Orders, ReceiptTasks],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
try {
  const orders = app.get(Orders);
  const conductor = app.get(Conductor);

  const id = await orders.place('book', true);
  const { status } = await conductor.handle(id).wait();
  console.log(`the task is ${status}`);

  await orders.place('yacht', false).catch((error: Error) => console.log(error.message));
  const count = await app.get(DataSource).manager.countBy(Order, { article: 'yacht' });
  const { items } = await conductor.list({ status: ['pending', 'running'] });
  console.log(`${count} orders of a yacht, ${items.length} receipts to be sent`);
} finally {
  await app.close();
  await postgres.stop();
}
