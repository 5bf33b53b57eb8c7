import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** What the newest graphile-worker asks for. */
const OLDEST = [22, 18];

/** The Node that all subjects run under: the one that npm installed for this platform, else the one that runs this, if it will do. */
export function benchNode(): string {
  const shipped = fileURLToPath(
    new URL(
      `../../node_modules/node-${process.platform}-${process.arch}/bin/node`,
      import.meta.url,
    ),
  );
  if (existsSync(shipped)) return shipped;
  const [major, minor] = process.versions.node.split('.').map(Number) as [number, number];
  if (major > OLDEST[0]! || (major === OLDEST[0] && minor >= OLDEST[1]!)) return process.execPath;
  throw new Error(
    `The peers need Node ${OLDEST.join('.')} or newer, and npm has none for ${process.platform} ${process.arch}: run this with a newer Node.`,
  );
}

export function benchNodeVersion(): string {
  return execFileSync(benchNode(), ['--version'], { encoding: 'utf8' }).trim();
}
