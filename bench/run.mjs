// `npm run bench`: brings what the benchmark needs, then runs it. The build is always made anew, for a benchmark of yesterday's would
// mislead; bench's own packages only where they are not those of the lock file.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What the newest graphile-worker asks for. */
const OLDEST_NODE = [22, 18];

const bench = dirname(fileURLToPath(import.meta.url));
const root = dirname(bench);
const packages = join(bench, 'node_modules');

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (error) throw error;
  if (status !== 0) process.exit(status ?? 1);
}

const packagesOf = (lock) => JSON.parse(readFileSync(lock, 'utf8')).packages;

/** npm leaves out what is not for this platform. */
function isInstalled() {
  const installed = join(packages, '.package-lock.json');
  if (!existsSync(installed)) return false;
  const has = packagesOf(installed);
  return Object.entries(packagesOf(join(bench, 'package-lock.json'))).every(
    ([path, { version, optional }]) => path === '' || optional || has[path]?.version === version,
  );
}

/** The Node that all subjects run under: the one that npm has for this platform, else this one, if it will do. */
function benchNode() {
  const shipped = join(packages, `node-${process.platform}-${process.arch}`, 'bin', 'node');
  if (existsSync(shipped)) return shipped;
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]))
    return process.execPath;
  process.stderr.write(
    `The peers need Node ${OLDEST_NODE.join('.')} or newer, and there is none in bench/node_modules for ${process.platform} ${process.arch}.\n`,
  );
  process.exit(2);
}

if (!isInstalled())
  run('npm', ['ci', '--prefix', bench, '--no-audit', '--no-fund', '--loglevel=error']);

// our own subject imports the built package by its name, as a user does. It is a link and no dependency, which npm would install
// a second time, with other copies of Nest and TypeORM
const link = join(packages, 'nest-conductor');
rmSync(link, { force: true });
symlinkSync(root, link, 'dir');

run('npm', ['run', '--silent', 'build']);
rmSync(join(bench, 'dist'), { recursive: true, force: true });
run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', bench]);
run(benchNode(), [join(bench, 'dist', 'main.js'), ...process.argv.slice(2)]);
