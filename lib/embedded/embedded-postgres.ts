import { chown } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import pg from 'pg';
import { openCluster, SUPERUSER } from './cluster.js';
import { PostgresStartError } from './errors/postgres-start.error.js';
import { defaultSearch, findBinaries, type BinarySource } from './find-binaries.js';
import { Guard } from './guard.js';
import { openPlace, type Place } from './place.js';
import type { PostgresOptions, RunningPostgres } from './postgres-options.js';
import { requireFree } from './postmaster-file.js';
import { Server } from './server.js';
import { unprivilegedUser, type UnprivilegedUser } from './unprivileged-user.js';

const HOST = '127.0.0.1';
/** A free port may be taken by another process before the server has it. */
const PORT_ATTEMPTS = 5;
/** What the url, and the promise to be reachable from this machine only, depend on. */
const OWN_SETTINGS = ['port', 'listen_addresses'];

/** Starts a Postgres as a child of this process that never outlives it. */
export async function startEmbeddedPostgres(
  options: PostgresOptions,
  log: (line: string) => void,
  search = defaultSearch(),
): Promise<RunningPostgres> {
  for (const name of OWN_SETTINGS.filter((own) => own in (options.settings ?? {}))) {
    throw new PostgresStartError(
      `"${name}" cannot be among the settings. The server listens on ${HOST} only; its port is the option "port".`,
    );
  }
  const source = await findBinaries(options.binaries, search);
  const place = await openPlace(options.directory);
  const guard = new Guard();
  if (!place.kept) guard.deleteAtEnd(place.directory);
  let server: Server | undefined;
  try {
    const user = unprivilegedUser(place.data);
    if (!place.kept && user) await chown(place.directory, user.uid, user.gid);
    if (place.kept) await requireFree(place.data, place.directory);
    const binaries = await source.prepare(user, guard);
    const { version, password } = await openCluster(place, binaries, user, guard);
    const settings = settingsOf(options, place);
    const started = await startOnPort(
      binaries.postgres,
      place,
      settings,
      user,
      guard,
      options.port,
    );
    server = started.server;
    const address = `${HOST}:${started.port}`;
    const database = options.database ?? 'postgres';
    const urlOf = (name: string) =>
      `postgres://${SUPERUSER}:${password}@${address}/${encodeURIComponent(name)}`;
    await ensureDatabase(urlOf('postgres'), database);
    const of = source.name === 'system' ? ` of ${dirname(binaries.postgres)}` : '';
    log(
      `Started Postgres ${version}${of} on ${address}, database "${database}", ` +
        `${place.kept ? 'data in' : 'throw-away data in'} ${place.directory}`,
    );
    return running(urlOf(database), source.name, place, server, guard);
  } catch (error) {
    await server?.stop();
    await guard.end();
    throw error;
  }
}

function running(
  url: string,
  source: BinarySource['name'],
  place: Place,
  server: Server,
  guard: Guard,
): RunningPostgres {
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    await server.stop();
    await guard.end();
  };
  return {
    url,
    source,
    pid: server.pid,
    directory: place.directory,
    stop: () => (stopped ??= stop()),
  };
}

function settingsOf(options: PostgresOptions, place: Place): Record<string, string> {
  const fsync = options.fsync ?? place.kept;
  return {
    // a full page in the log mends a page torn by a power cut, against which fsync = off gives no protection anyway
    ...(fsync ? { fsync: 'on' } : { fsync: 'off', full_page_writes: 'off' }),
    // the path of a socket may not exceed 107 bytes, and a throw-away directory can be deeper
    unix_socket_directories: '',
    ...options.settings,
    listen_addresses: HOST,
  };
}

async function startOnPort(
  postgres: string,
  place: Place,
  settings: Record<string, string>,
  user: UnprivilegedUser | undefined,
  guard: Guard,
  wanted: number | undefined,
): Promise<{ server: Server; port: number }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = wanted ?? (await freePort());
    try {
      const server = await Server.start(
        postgres,
        place,
        { ...settings, port: `${port}` },
        user,
        guard,
      );
      return { server, port };
    } catch (error) {
      const taken = error instanceof PostgresStartError && error.message.includes('could not bind');
      if (!taken || wanted !== undefined || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, HOST, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

async function ensureDatabase(url: string, database: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 20_000 });
  try {
    await client.connect();
    const found = await client.query('select 1 from pg_database where datname = $1', [database]);
    if (found.rowCount === 0)
      await client.query(`create database ${pg.escapeIdentifier(database)}`);
  } catch (error) {
    const { message } = error as Error;
    throw new PostgresStartError(
      `the server runs, but database "${database}" cannot be opened: ${message}`,
    );
  } finally {
    await client.end();
  }
}
