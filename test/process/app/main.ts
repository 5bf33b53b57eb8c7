// A real Nest app with HTTP and the conductor, in a process of its own, to be sent signals.
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { open, tell } from './gates.js';
import { SETTINGS_VARIABLE, type AppSettings, type Command } from './settings.js';

const endWithTheTest = () => process.exit();
process.once('disconnect', endWithTheTest);

const settings = JSON.parse(process.env[SETTINGS_VARIABLE]!) as AppSettings;
const app = await NestFactory.create(AppModule.with(settings), new ExpressAdapter(), {
  logger: ['warn', 'error'],
});
app.enableShutdownHooks();
// only as many as the test sends: what still listened would keep Nest's own signal, at the end of all, from ending the process
let { signals = 0 } = settings;
const tellSignal = () => {
  tell({ type: 'signal' });
  signals -= 1;
  if (signals === 0) process.off('SIGTERM', tellSignal);
};
if (signals > 0) process.on('SIGTERM', tellSignal);
process.on('message', (command: Command) => {
  if (command === 'close') void close();
  else open(command.open);
});
await app.listen(0, '127.0.0.1');
tell({ type: 'up', url: await app.getUrl() });

/** Nothing of ours may keep the process then. */
async function close(): Promise<void> {
  await app.close();
  tell({ type: 'closed' });
  process.off('disconnect', endWithTheTest);
  process.disconnect();
}
