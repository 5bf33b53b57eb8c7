import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import {
  DataDirectoryInUseError,
  PostgresBinariesMissingError,
  startPostgres,
  type RunningPostgres,
} from '../../lib/embedded/index.js';
import type { Binaries } from '../../lib/embedded/binaries.js';
import { startEmbeddedPostgres } from '../../lib/embedded/embedded-postgres.js';
import { defaultSearch, findBinaries } from '../../lib/embedded/find-binaries.js';
import { Guard } from '../../lib/embedded/guard.js';
import { findNative, prepareNative } from '../../lib/embedded/package-binaries.js';
import { findSystemBinaries, usualFolders } from '../../lib/embedded/system-binaries.js';
import { unprivilegedUser } from '../../lib/embedded/unprivileged-user.js';
import { until } from '../support/until.js';

async function query<T>(url: string, sql: string): Promise<T[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query(sql)).rows as T[];
  } finally {
    await client.end();
  }
}

/** A dead child of a dead parent may stay a zombie: it counts as gone. */
function alive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('embedded Postgres', () => {
  const given = process.env['DATABASE_URL'];
  const running: RunningPostgres[] = [];
  const directories: string[] = [];

  async function start(
    options: Parameters<typeof startPostgres>[0] = {},
  ): Promise<RunningPostgres> {
    const postgres = await startPostgres({ log: () => undefined, ...options });
    running.push(postgres);
    return postgres;
  }

  async function directory(): Promise<string> {
    const made = await mkdtemp(join(tmpdir(), 'conductor-embedded-'));
    directories.push(made);
    return made;
  }

  beforeEach(() => {
    delete process.env['DATABASE_URL'];
  });

  afterEach(async () => {
    await Promise.all(running.splice(0).map((postgres) => postgres.stop()));
    await Promise.all(
      directories.splice(0).map((path) => rm(path, { recursive: true, force: true })),
    );
    if (given === undefined) delete process.env['DATABASE_URL'];
    else process.env['DATABASE_URL'] = given;
  });

  it('starts, says in one line what and where without the password, and leaves nothing when it stops', async () => {
    const lines: string[] = [];
    const postgres = await start({ log: (line) => lines.push(line), database: 'shop' });
    const [row] = await query<{ name: string }>(postgres.url, 'select current_database() as name');
    expect(row!.name).toBe('shop');
    const { password, host } = new URL(postgres.url);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(host);
    expect(lines[0]).not.toContain(password);
    const { pid, directory: data } = postgres;
    await postgres.stop();
    await postgres.stop();
    expect(alive(pid!)).toBe(false);
    expect(existsSync(data!)).toBe(false);
  });

  it('runs its server as an ordinary user, also when it is started by root', async () => {
    const { pid } = await start();
    const uid = Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
    expect(uid).not.toBe(0);
  });

  it('keeps its data in a directory, which one server at a time can use', async () => {
    const kept = await directory();
    const first = await start({ directory: kept });
    await query(first.url, 'create table kept as select 7 as n');
    await expect(start({ directory: kept })).rejects.toBeInstanceOf(DataDirectoryInUseError);
    await first.stop();
    const second = await start({ directory: kept });
    await expect(query(second.url, 'select n from kept')).resolves.toEqual([{ n: 7 }]);
  });

  it('leaves no server and no throw-away data behind when its parent is killed with SIGKILL', async () => {
    const entry = fileURLToPath(new URL('../../lib/embedded/index.ts', import.meta.url));
    const parent = spawn(
      process.execPath,
      [
        '--import',
        '@swc-node/register/esm-register',
        '--input-type=module',
        '-e',
        `const { startPostgres } = await import(${JSON.stringify(entry)});
         const postgres = await startPostgres({ log: () => undefined });
         console.log(JSON.stringify({ pid: postgres.pid, directory: postgres.directory }));
         setInterval(() => undefined, 1000);`,
      ],
      // what jest lets this file change is a copy: without env a child would get the DATABASE_URL of the run
      { stdio: ['ignore', 'pipe', 'inherit'], env: process.env },
    );
    try {
      let output = '';
      parent.stdout.on('data', (part: Buffer) => (output += part.toString()));
      await until(() => output.includes('\n'), 60_000);
      const child = JSON.parse(output) as { pid: number; directory: string };
      expect(alive(child.pid)).toBe(true);
      parent.kill('SIGKILL');
      await until(() => !alive(child.pid) && !existsSync(child.directory));
      expect(alive(child.pid)).toBe(false);
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it('uses the server of DATABASE_URL when it is set, starts nothing, and shows no password', async () => {
    const lines: string[] = [];
    process.env['DATABASE_URL'] = 'postgres://me:s3cret@db.example:5433/shop';
    const postgres = await start({ log: (line) => lines.push(line) });
    expect(postgres).toMatchObject({
      source: 'DATABASE_URL',
      url: 'postgres://me:s3cret@db.example:5433/shop',
    });
    expect(postgres.pid).toBeUndefined();
    expect(lines.join()).toContain('db.example:5433');
    expect(lines.join()).not.toContain('s3cret');
    await postgres.stop();
  });

  describe('from the system’s binaries', () => {
    const guard = new Guard();
    let real: Binaries;
    let folder: string;

    beforeAll(async () => {
      const found = findNative([import.meta.url]);
      if ('missing' in found) throw new Error(`${found.missing} is missing`);
      real = await prepareNative(found.native, unprivilegedUser(tmpdir()), guard);
    });

    beforeEach(async () => {
      folder = await directory();
      await chmod(folder, 0o755);
    });

    afterAll(() => guard.end());

    /** A version as a package of the system installs it: links to programs that run. */
    async function install(version: string): Promise<string> {
      const bin = join(folder, version, 'bin');
      await mkdir(bin, { recursive: true });
      await symlink(real.initdb, join(bin, 'initdb'));
      await symlink(real.postgres, join(bin, 'postgres'));
      return bin;
    }

    async function program(path: string, output: string): Promise<string> {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, `#!/bin/sh\necho "${output}"\n`, { mode: 0o755 });
      return path;
    }

    /** Programs that tell this version and cannot do more. */
    async function pretend(version: string): Promise<string> {
      const bin = join(folder, version, 'bin');
      await program(join(bin, 'initdb'), `initdb (PostgreSQL) ${version}`);
      await program(join(bin, 'postgres'), `postgres (PostgreSQL) ${version}`);
      return bin;
    }

    const search = (env: Record<string, string> = {}) => ({
      packageFrom: [join(folder, 'package.json')],
      system: { env, folders: [join(folder, '*', 'bin')] },
    });

    async function startFrom(env?: Record<string, string>) {
      const lines: string[] = [];
      const postgres = await startEmbeddedPostgres({}, (line) => lines.push(line), search(env));
      running.push(postgres);
      return { postgres, line: lines.join() };
    }

    it('starts the newest version where the npm package is missing, and says which', async () => {
      await pretend('13.9');
      await pretend('14.2');
      await pretend('9.6');
      const bin = await install('newest');
      const { postgres, line } = await startFrom();
      expect(postgres.source).toBe('system');
      expect(line).toContain(`Started Postgres ${real.major} of ${bin}`);
      await expect(query(postgres.url, 'select 1 as one')).resolves.toEqual([{ one: 1 }]);
    });

    it('finds it in PATH, and where PG_CONFIG says, which goes before all others', async () => {
      const bin = await install('elsewhere/18');
      const onPath = await findSystemBinaries({ env: { PATH: `/none:${bin}` }, folders: [] });
      expect(onPath.bin).toBe(bin);
      await pretend('99.1');
      expect((await findSystemBinaries(search({ PATH: bin }).system)).bin).toBe(
        join(folder, '99.1', 'bin'),
      );
      const pgConfig = await program(join(folder, 'my_pg_config'), bin);
      const { line } = await startFrom({ PG_CONFIG: pgConfig });
      expect(line).toContain(` of ${bin} on `);
    });

    it('goes after the npm package, which goes after the option "binaries"', async () => {
      const bin = await install('18');
      const { packageFrom } = defaultSearch();
      const found = await findBinaries(undefined, { ...search(), packageFrom });
      expect(found.name).toBe('embedded');
      const lines: string[] = [];
      const postgres = await start({ binaries: bin, log: (line) => lines.push(line) });
      expect(postgres.source).toBe('system');
      expect(lines.join()).toContain(` of ${bin} on `);
      await expect(start({ binaries: await pretend('13.9') })).rejects.toThrow(
        'holds version 13; it has to be 14 or newer',
      );
    });

    it('says where it looked, and why it could not use what it found', async () => {
      await pretend('13.9');
      await program(join(folder, 'broken/bin/initdb'), 'initdb');
      await program(join(folder, 'broken/bin/postgres'), 'nonsense');
      const error = (await startFrom({ PG_CONFIG: '/none/pg_config' }).catch(
        (thrown: unknown) => thrown,
      )) as PostgresBinariesMissingError;
      expect(error).toBeInstanceOf(PostgresBinariesMissingError);
      expect(error.packageName).toBe('embedded-postgres');
      expect(error.places).toEqual(['PG_CONFIG=/none/pg_config', join(folder, '*', 'bin'), 'PATH']);
      expect(error.unusable).toEqual([
        `${join(folder, '13.9/bin')} (version 13)`,
        expect.stringMatching(/broken\/bin .*nonsense/),
      ]);
      for (const part of [...error.places, ...error.unusable])
        expect(error.message).toContain(part);
    });

    it('knows the folders of Linux, macOS and Windows', () => {
      expect(usualFolders('linux')).toContain('/usr/lib/postgresql/*/bin');
      expect(usualFolders('darwin')).toContain('/opt/homebrew/opt/postgresql@*/bin');
      expect(usualFolders('darwin')).toContain(
        '/Applications/Postgres.app/Contents/Versions/*/bin',
      );
      expect(usualFolders('win32', { ProgramFiles: 'D:\\Programs' })).toEqual([
        'D:\\Programs\\PostgreSQL\\*\\bin',
      ]);
    });

    // the one above that starts a server has the npm package's version; this machine's may be older, and needs other arguments
    it('starts what this machine has, if it has one', async () => {
      const { bin, places } = await findSystemBinaries({
        env: process.env,
        folders: usualFolders(),
      });
      if (bin === undefined) {
        // oxlint-disable-next-line no-console -- says that this test has proven nothing here
        console.warn(`There is no Postgres on this machine: looked in ${places.join(', ')}`);
        return;
      }
      const postgres = await start({ binaries: bin, directory: join(folder, 'kept') });
      const [row] = await query<{ collate: string; encoding: string }>(
        postgres.url,
        `select datcollate as collate, pg_encoding_to_char(encoding) as encoding from pg_database
         where datname = current_database()`,
      );
      expect(row).toEqual({ collate: expect.stringMatching(/^C(\.UTF-8)?$/), encoding: 'UTF8' });
    });
  });
});
