import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { Orchestrator } from '../../../lib/index.js';
import { SETTINGS_VARIABLE, type WorkerMessage, type WorkerSettings } from './settings.js';
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
process.once('message', () => {
  void orchestrator.start().then(() => tell({ type: 'serving' }));
});
tell({ type: 'up' });

function tell(message: WorkerMessage): void {
  if (process.connected) process.send!(message);
}
