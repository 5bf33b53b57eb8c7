import { deepStrictEqual } from 'node:assert';
import { NestFactory } from '@nestjs/core';
import { Conductor } from 'nest-conductor';
import { startPostgres } from 'nest-conductor/embedded';
import { AppModule } from './app.module.js';
import { chargeOrder, shipOrder } from './contracts.js';

async function main(): Promise<void> {
  const postgres = await startPostgres();
  const app = await NestFactory.createApplicationContext(AppModule.connectedTo(postgres.url), {
    logger: ['error', 'warn'],
  });
  try {
    app.enableShutdownHooks();
    const conductor = app.get(Conductor);
    const charged = await conductor.invokeAndWait(chargeOrder, { orderId: '4711' });
    deepStrictEqual(charged, { receiptId: 'paid 4', bodies: 1 });
    const shipped = await conductor.invokeAndWait(shipOrder, { orderId: '4711', parcels: '2' });
    deepStrictEqual(shipped, '4711 in 3 parcels');
  } finally {
    await app.close();
    await postgres.stop();
  }
}

void main();
