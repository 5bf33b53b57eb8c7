import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import {
  DataDirectoryInUseError,
  startPostgres,
  type RunningPostgres,
} from '../../lib/embedded/index.js';
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
});
