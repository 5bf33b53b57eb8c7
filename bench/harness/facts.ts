import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

const bench = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const root = dirname(bench);

export interface Machine {
  cpu: string;
  cores: number;
  memoryGb: number;
  system: string;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1_073_741_824),
    system: `${process.platform} ${process.arch} ${release()}`,
  };
}

/** Of the subjects and of what they run on. */
export function versions(): Record<string, string> {
  const { dependencies } = packageOf(bench);
  return {
    'nest-conductor': packageOf(root).version!,
    ...dependencies,
    node: process.version,
  };
}

/** Which of our commits was measured. */
export function commit(): string {
  try {
    const git = (...args: string[]) =>
      execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
    const changed = git('status', '--porcelain', '--', 'lib') === '' ? '' : ' and changes';
    return `${git('rev-parse', 'HEAD')}${changed}`;
  } catch {
    return 'unknown'; // a copy without git
  }
}

function packageOf(folder: string): { version?: string; dependencies?: Record<string, string> } {
  return JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')) as {
    version?: string;
    dependencies?: Record<string, string>;
  };
}
