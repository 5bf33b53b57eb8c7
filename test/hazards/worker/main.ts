import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { NestFactory } from '@nestjs/core';
import { Conductor, Orchestrator } from '../../../lib/index.js';
import {
  ALIVE_EVERY_MS,
  SERVE,
  SETTINGS_VARIABLE,
  type Block,
  type WorkerSettings,
} from './settings.js';
import { tell } from './tell.js';
import { WorkerModule } from './worker.module.js';

process.once('disconnect', () => process.exit()); // the controller is gone: do not outlive it

// Node would end the process; a run is to be judged by what the process did afterwards as well
process.on('unhandledRejection', (error) =>
  tell({
    type: 'unhandledRejection',
    error: error instanceof Error ? (error.stack ?? error.message) : String(error),
  }),
);

const settings = JSON.parse(process.env[SETTINGS_VARIABLE]!) as WorkerSettings;
const app = await NestFactory.createApplicationContext(WorkerModule.with(settings), {
  logger: ['warn', 'error'],
  abortOnError: false,
});
app.enableShutdownHooks();
const orchestrator = app.get(Orchestrator);
process.on('message', (message: typeof SERVE | Block) => {
  if (message === SERVE) void serve();
  else block(message.block);
});
setInterval(() => tell({ type: 'alive' }), ALIVE_EVERY_MS);
tell({ type: 'up' });

async function serve(): Promise<void> {
  await orchestrator.start();
  tell({ type: 'serving' });
  if (settings.faults === undefined) return;
  // these have fault points too, and no handler calls them
  const conductor = app.get(Conductor);
  await Promise.allSettled([
    conductor.resume({ queue: 'default' }),
    conductor.retryMany({ task: 'none' }),
    conductor.retry(randomUUID()),
    conductor.cancel(randomUUID()),
  ]);
  const { isShuttingDown, isStopped } = orchestrator.info;
  if (isShuttingDown || isStopped) return; // told to stop meanwhile
  await orchestrator.drain();
}

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
