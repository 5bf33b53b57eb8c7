// Random programs, cut off at random moments, replayed: `npm run test:replay -- --seeds 5000 --from 1000`.
import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { startPostgres } from '../../lib/embedded/index.js';
import { createTestDatabase } from '../support/test-database.js';
import { ReplayFuzz } from './fuzz.js';

/** Programs that run in one database, at once. */
const CHUNK = 600;
const SHOWN = 20;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '600' },
    from: { type: 'string', default: '1000' },
  },
});
const from = Number(values.from);
const last = from + Number(values.seeds);
if (!(Number.isSafeInteger(last) && last > from)) {
  process.stderr.write('npm run test:replay -- [--seeds COUNT] [--from SEED]\n');
  process.exit(2);
}

const postgres = await startPostgres({
  settings: { max_connections: '200' },
  log: () => undefined,
});
process.env['TEST_POSTGRES_URL'] = postgres.url;
const began = performance.now();
let failed = 0;
for (let first = from; first < last; first += CHUNK) {
  const seeds = Array.from({ length: Math.min(CHUNK, last - first) }, (_, i) => first + i);
  const database = await createTestDatabase();
  const fuzz = await ReplayFuzz.open(database);
  const { cuts, activations, bodies, blocked, problems } = await fuzz.run(seeds);
  await fuzz.close();
  await database.drop();
  failed += new Set(problems.map((problem) => /^seed \d+/.exec(problem)?.[0])).size;
  for (const problem of problems.slice(0, SHOWN)) console.log(problem);
  console.log(
    `${first} to ${first + seeds.length - 1}: ${activations} activations, ${bodies} bodies, ${blocked} blocked by other code; ` +
      `${[...cuts].map(([cut, count]) => `${cut} ${count}`).join(', ')}; ${problems.length} problems`,
  );
}
console.log(
  `${last - from} seeds in ${Math.round((performance.now() - began) / 1_000)} s, ${failed} failed`,
);
await postgres.stop();
process.exitCode = failed === 0 ? 0 : 1;
