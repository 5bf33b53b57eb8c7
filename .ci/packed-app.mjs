// A user's ESM app in plain JavaScript: installs the packed tarball, runs a task.
import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Conductor, ConductorModule, Task } from 'nest-conductor';
import { startPostgres } from 'nest-conductor/embedded';

class Tasks {
  double(event) {
    return event.payload * 2;
  }
}
Task('double')(
  Tasks.prototype,
  'double',
  Object.getOwnPropertyDescriptor(Tasks.prototype, 'double'),
);

const postgres = await startPostgres();
class App {}
Module({
  imports: [ConductorModule.forRoot({ connection: { url: postgres.url }, schema: 'packed_esm' })],
  providers: [Tasks],
})(App);
const app = await NestFactory.createApplicationContext(App, { logger: ['error'] });
const result = await app.get(Conductor).invokeAndWait({ name: 'double' }, 21, { timeout: '20s' });
await app.close();
await postgres.stop();
if (result !== 42) throw new Error(`the packed tarball gave ${result}`);
console.log('ESM app: ok');
