import 'reflect-metadata';
import { ConsoleLogger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ApiModule } from './api.module.js';

process.once('disconnect', () => process.exit()); // the sample is gone: do not outlive it

const app = await NestFactory.create(ApiModule, {
  logger: new ConsoleLogger({ json: true, logLevels: ['warn', 'error'] }),
  forceCloseConnections: true,
});
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
process.send?.({ url: await app.getUrl() });
