import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { testApps } from '../support/test-app.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const BOUND_MS = 60_000;

/** @throws if it does not exit with 0 */
async function run(sample: string, url: string): Promise<string[]> {
  const file = `sample/${sample}/main.ts`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', '@swc-node/register/esm-register', file],
    // without jest's own options for Node; in a database of its own, where no other run has left anything
    {
      cwd: root,
      env: { ...process.env, NODE_OPTIONS: '', DATABASE_URL: url },
      timeout: BOUND_MS,
    },
  );
  return stdout.trim().split('\n');
}

describe('the samples', () => {
  const apps = testApps();

  it(
    '01-first-task runs its step once, sleeps, prints the result and ends',
    async () => {
      const [, ...printed] = await run('01-first-task', apps.database.url);

      expect(printed).toEqual(['composing for Ada', 'HELLO, ADA!']);
    },
    BOUND_MS,
  );

  it(
    '04-transactional-enqueue sends the receipt of what was committed, and none of what was rolled back',
    async () => {
      const [, ...printed] = await run('04-transactional-enqueue', apps.database.url);

      expect(printed).toEqual([
        'receipt for "book" sent',
        'the task is completed',
        'the payment of "yacht" was declined',
        '0 orders of a yacht, 0 receipts to be sent',
      ]);
    },
    BOUND_MS,
  );
});
