// A user's CommonJS app: the ESM package must load with require().
require('reflect-metadata');
const conductor = require('nest-conductor');
const embedded = require('nest-conductor/embedded');
for (const name of [
  'ConductorModule',
  'Conductor',
  'Orchestrator',
  'Task',
  'Step',
  'defineTask',
  'type',
]) {
  if (typeof conductor[name] !== 'function')
    throw new Error(`require('nest-conductor').${name} is missing`);
}
if (typeof embedded.startPostgres !== 'function') throw new Error('startPostgres is missing');
console.log('CommonJS app: ok');
