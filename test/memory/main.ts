// Suspends 100,000 executions in one process and counts what is left of them: `npm run test:memory -- --count 100000`.
import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { startPostgres } from '../../lib/embedded/index.js';
import { createTestDatabase } from '../support/test-database.js';
import { suspendMany } from './suspended.js';

const { values } = parseArgs({ options: { count: { type: 'string', default: '100000' } } });
const count = Number(values.count);
if (!(Number.isSafeInteger(count) && count > 0)) {
  process.stderr.write('npm run test:memory -- [--count COUNT]\n');
  process.exit(2);
}

const postgres = await startPostgres({ log: () => undefined });
process.env['TEST_POSTGRES_URL'] = postgres.url;
const database = await createTestDatabase();
const began = performance.now();
const { suspended, made, alive, ...memory } = await suspendMany(database, count);
await database.drop();
const mb = (bytes: number) => `${(bytes / 1_048_576).toFixed(1)} MB`;
let left = 0;
for (const [name, objects] of alive) {
  left += objects;
  console.log(`${objects} alive  ${name}`);
}
console.log(
  `${suspended} suspended in ${Math.round((performance.now() - began) / 1_000)} s, ${made} objects of theirs, ${left} alive; ` +
    `heap ${mb(memory.heapBefore)} before, ${mb(memory.heapAfter)} after; RSS ${mb(memory.rssBefore)} before, ${mb(memory.rssAfter)} after`,
);
await postgres.stop();
process.exitCode = left === 0 ? 0 : 1;
