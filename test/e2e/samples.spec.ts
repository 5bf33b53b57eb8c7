import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const BOUND_MS = 60_000;

/** @throws if it does not exit with 0 */
async function run(sample: string): Promise<string[]> {
  const file = `sample/${sample}/main.ts`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--import', '@swc-node/register/esm-register', file],
    // without jest's own options for Node
    { cwd: root, env: { ...process.env, NODE_OPTIONS: '' }, timeout: BOUND_MS },
  );
  return stdout.trim().split('\n');
}

describe('the samples', () => {
  it(
    '01-first-task runs its step once, sleeps, prints the result and ends',
    async () => {
      const [, ...printed] = await run('01-first-task');

      expect(printed).toEqual(['composing for Ada', 'HELLO, ADA!']);
    },
    BOUND_MS,
  );
});
