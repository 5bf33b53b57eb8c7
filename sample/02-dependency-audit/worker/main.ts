import 'reflect-metadata';
import { ConsoleLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { WorkerModule } from './worker.module.js';

process.once('disconnect', () => process.exit()); // the sample is gone: do not outlive it

const app = await NestFactory.createApplicationContext(WorkerModule, {
  logger: new ConsoleLogger({ json: true, logLevels: ['warn', 'error'] }),
});
app.enableShutdownHooks();
process.send?.({ ready: true });
