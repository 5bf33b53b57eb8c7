import { execFile } from 'node:child_process';
import { access, readdir, realpath } from 'node:fs/promises';
import { basename, delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { binariesIn, programsIn } from './binaries.js';
import { serverEnvironment } from './server-environment.js';

/** The oldest Postgres that the engine runs on. */
export const OLDEST_MAJOR = 14;

export interface SystemSearch {
  env: Record<string, string | undefined>;
  /** Folders with programs; a `*` in one name stands for any text. */
  folders: string[];
}

export interface SystemBinaries {
  /** Folder of the chosen version's programs; undefined: there is none. */
  bin?: string;
  /** Where it was looked. */
  places: string[];
  /** What was found and cannot be used, with the reason. */
  unusable: string[];
}

const run = promisify(execFile);

/** Where the packages of Linux distributions, Homebrew, Postgres.app and EnterpriseDB's installers put the server's programs,
 *  which most of them leave out of PATH. */
export function usualFolders(
  platform: NodeJS.Platform = process.platform,
  env: SystemSearch['env'] = process.env,
): string[] {
  if (platform === 'win32')
    return [`${env['ProgramFiles'] ?? 'C:\\Program Files'}\\PostgreSQL\\*\\bin`];
  if (platform === 'darwin') {
    return [
      '/opt/homebrew/opt/postgresql@*/bin',
      '/usr/local/opt/postgresql@*/bin',
      '/Applications/Postgres.app/Contents/Versions/*/bin',
      '/Library/PostgreSQL/*/bin',
    ];
  }
  return [
    '/usr/lib/postgresql/*/bin', // Debian, Ubuntu
    '/usr/pgsql-*/bin', // the Postgres project's packages for Red Hat, Fedora, SUSE
    '/usr/lib/postgresql*/bin', // SUSE
    '/usr/libexec/postgresql*', // Alpine
  ];
}

/** The Postgres of this machine: that of the program PG_CONFIG if it is set, else the newest in the usual folders, in PATH and
 *  where `pg_config` says. */
export async function findSystemBinaries({ env, folders }: SystemSearch): Promise<SystemBinaries> {
  const { PG_CONFIG, PATH = '' } = env;
  const unusable: string[] = [];
  const named = PG_CONFIG ? await bindir(PG_CONFIG, PATH) : [];
  const around = async () => [
    ...(await Promise.all(folders.map(matches))).flat(),
    ...PATH.split(delimiter).filter((folder) => folder !== ''),
    ...(await bindir('pg_config', PATH)),
  ];
  const bin = (await newest(named, unusable)) ?? (await newest(await around(), unusable));
  const places = [...(PG_CONFIG ? [`PG_CONFIG=${PG_CONFIG}`] : []), ...folders, 'PATH'];
  return { bin, places, unusable: [...new Set(unusable)] };
}

async function newest(folders: string[], unusable: string[]): Promise<string | undefined> {
  // distributions link /bin to /usr/bin, Homebrew a version to its Cellar
  const real = await Promise.all(folders.map((folder) => realpath(folder).catch(() => folder)));
  let best: { bin: string; major: number } | undefined;
  for (const bin of new Set(real)) {
    const { initdb, postgres } = programsIn(bin);
    try {
      await Promise.all([access(initdb), access(postgres)]);
    } catch {
      continue; // most folders of PATH, and a Postgres of which only the client is installed
    }
    try {
      const { major } = await binariesIn(bin);
      if (major < OLDEST_MAJOR) unusable.push(`${bin} (version ${major})`);
      else if (best === undefined || major > best.major) best = { bin, major };
    } catch (error) {
      unusable.push(`${bin} (${(error as Error).message.trim()})`);
    }
  }
  return best?.bin;
}

async function matches(pattern: string): Promise<string[]> {
  const [before = '', after] = pattern.split('*');
  if (after === undefined) return [pattern];
  // "/usr/pgsql-*/bin": names of /usr that begin with "pgsql-", each with "/bin" behind it
  const isWhole = /[\\/]$/.test(before);
  const parent = isWhole ? before : dirname(before);
  const start = isWhole ? '' : basename(before);
  const names = await readdir(parent).catch(() => []);
  return names.filter((name) => name.startsWith(start)).map((name) => join(parent, name) + after);
}

async function bindir(program: string, PATH: string): Promise<string[]> {
  try {
    const options = { env: { ...serverEnvironment(), PATH }, timeout: 20_000 };
    return [(await run(program, ['--bindir'], options)).stdout.trim()];
  } catch {
    return []; // not installed, or not a pg_config
  }
}
