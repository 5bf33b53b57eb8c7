// `npm run bench`: brings what the benchmark needs, then runs it. Everything is checked for and made only where it is missing or
// old, but for the build, since a benchmark of yesterday's build would mislead.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const bench = dirname(fileURLToPath(import.meta.url));
const root = dirname(bench);
const installed = join(bench, 'node_modules', '.package-lock.json');

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

/** Whether bench/node_modules is what bench/package-lock.json says; npm leaves out what is not for this platform. */
function isInstalled() {
  if (!existsSync(installed)) return false;
  const has = JSON.parse(readFileSync(installed, 'utf8')).packages;
  const wants = JSON.parse(readFileSync(join(bench, 'package-lock.json'), 'utf8')).packages;
  return Object.entries(wants).every(
    ([path, { version, optional }]) => path === '' || optional || has[path]?.version === version,
  );
}

if (!isInstalled()) run('npm', ['ci', '--prefix', bench]);

// our own subject imports the built package by its name, as a user does. It is a link and no dependency, which npm would install
// a second time, with other copies of Nest and TypeORM
const link = join(bench, 'node_modules', 'nest-conductor');
rmSync(link, { force: true });
symlinkSync(root, link, 'dir');

run('npm', ['run', '--silent', 'build']);
rmSync(join(bench, 'dist'), { recursive: true, force: true });
run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', bench]);
run(process.execPath, [join(bench, 'dist', 'main.js'), ...process.argv.slice(2)]);
