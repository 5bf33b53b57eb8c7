// Takes one guard away at a time and shows the test that then fails: `npm run test:mutants`, or `-- --only settle`.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { mutants, type Mutant } from './mutants.js';

/** A mutant may leave a test waiting: that is a failure too. */
const LIMIT_MS = 180_000;

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/** What fails without the guard; undefined: nothing does. */
async function killer(
  { file, code, without, tests }: Mutant,
  copy: string,
): Promise<string | undefined> {
  const path = join(copy, file);
  const original = await readFile(path, 'utf8');
  const parts = original.split(code);
  if (parts.length !== 2) throw new Error(`${file} has ${parts.length - 1} times: ${code}`);
  await writeFile(path, parts.join(without));
  try {
    await run('npm', ['test', '--silent', '--', '--forceExit', ...tests], {
      cwd: copy,
      timeout: LIMIT_MS,
      maxBuffer: 64 * 1024 * 1024,
    });
    return undefined;
  } catch (error) {
    const { stderr = '', killed } = error as { stderr?: string; killed?: boolean };
    return (
      /● (.* › .*)/.exec(stderr)?.[1] ??
      (killed ? 'a test waits for ever' : 'the suite fails to run')
    );
  } finally {
    await writeFile(path, original);
  }
}

const { only } = parseArgs({ options: { only: { type: 'string' } } }).values;
const copy = await mkdtemp(join(tmpdir(), 'conductor-mutants-'));
let survived = 0;
try {
  for (const name of ['lib', 'test', 'sample', 'package.json', 'tsconfig.json', 'jest.config.ts'])
    await cp(join(root, name), join(copy, name), { recursive: true });
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'));
  for (const mutant of mutants.filter(({ guard }) => only === undefined || guard.includes(only))) {
    const failing = await killer(mutant, copy);
    if (failing === undefined) survived += 1;
    console.log(
      `${failing === undefined ? 'SURVIVED' : 'noticed '}  ${mutant.guard}${failing === undefined ? '' : `  by: ${failing}`}`,
    );
  }
} finally {
  await rm(copy, { recursive: true, force: true });
}
console.log(`${survived} survived`);
process.exitCode = survived === 0 ? 0 : 1;
