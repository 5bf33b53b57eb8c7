import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { systemClock } from '../../../lib/common/clock.js';
import { ConductorModule, Task, type ConductorError } from '../../../lib/index.js';
import { Database } from '../../../lib/persistence/database.js';
import { endlessVersion } from '../next-version.js';
import { BOOT, SETTINGS_VARIABLE, type ProcessMessage, type ProcessSettings } from './settings.js';

const { url, code } = JSON.parse(process.env[SETTINGS_VARIABLE]!) as ProcessSettings;
const tell = (message: ProcessMessage) => process.send!(message);

@Injectable()
class EchoTasks {
  @Task('echo')
  echo(event: { payload: unknown }) {
    return event.payload;
  }
}

@Module({ imports: [ConductorModule.forRoot({ connection: { url } })], providers: [EchoTasks] })
class App {}

async function boot(): Promise<void> {
  if (code === 'endless') {
    const settings = { poolSize: 2, schema: 'conductor', migrations: 'auto' } as const;
    return await new Database(settings, systemClock, endlessVersion).open({ url });
  }
  const app = await NestFactory.createApplicationContext(App, {
    logger: false,
    abortOnError: false,
  });
  app.enableShutdownHooks();
}

process.once('disconnect', () => process.exit()); // the test is gone: do not outlive it
process.on('message', (message) => {
  if (message !== BOOT) return;
  boot().then(
    () => tell({ type: 'up' }),
    (error: ConductorError) => tell({ type: 'refused', code: error.code, message: error.message }),
  );
});
tell({ type: 'loaded' });
