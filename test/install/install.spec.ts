import { fileURLToPath } from 'node:url';
import { systemClock } from '../../lib/common/clock.js';
import { InstallBlockedError } from '../../lib/index.js';
import { Database } from '../../lib/persistence/database.js';
import type { SchemaCode } from '../../lib/persistence/schema-code.js';
import { buildWorker, type WorkerBuild } from '../hazards/harness/worker-build.js';
import { inForeignTransaction } from '../support/foreign-session.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';
import { nextVersion } from './next-version.js';
import { AppProcess } from './process/app-process.js';

const MAIN = fileURLToPath(new URL('process/main.ts', import.meta.url));
const PROCESSES = 10;
const KILLS = 3;

/** As in migrate.ts. */
const INSTALL_LOCK = 7_305_829_114;

describe('an installation by processes that are killed', () => {
  const apps = testApps();
  const processes: AppProcess[] = [];
  let build: WorkerBuild;

  beforeAll(async () => {
    build = await buildWorker(MAIN);
  });
  afterEach(async () => {
    await Promise.all(processes.splice(0).map((process) => process.kill()));
  });
  afterAll(() => build.remove());

  function spawn(name: string, code?: 'endless'): AppProcess {
    const process = new AppProcess(build.main, name, { url: apps.database.url, code });
    processes.push(process);
    return process;
  }

  interface Session {
    pid: number;
    name: string;
  }

  function sessions(waitEvent: string): Promise<Session[]> {
    return apps.database.query<Session>(
      `select pid, application_name as name from pg_stat_activity
       where datname = current_database() and wait_event = $1 and application_name like 'app-%'`,
      [waitEvent],
    );
  }

  const objects = (schema: string) =>
    apps.database.query(
      `select relname || ' ' || relkind::text as name from pg_class where relnamespace = $1::regnamespace
       union all
       select proname || '(' || pg_get_function_identity_arguments(oid) || ')' from pg_proc where pronamespace = $1::regnamespace
       order by 1`,
      [schema],
    );

  async function open(code?: SchemaCode, schema = 'conductor'): Promise<Database> {
    const database = new Database({ poolSize: 2, schema, migrations: 'auto' }, systemClock, code);
    apps.keep(database);
    await database.open({ url: apps.database.url });
    return database;
  }

  it('O2 FM1 ten processes boot at once on an empty database, four are killed, three of them in the middle of the migration: one schema, one history, all others up, and a task runs', async () => {
    const { database } = apps;
    for (let i = 0; i < PROCESSES; i += 1) spawn(`app-${i}`);
    await Promise.all(processes.map(({ loaded }) => loaded));
    // whoever installs has made eight tables when it comes to the one that another session is just about to make
    await database.query('create schema conductor');
    const killed = new Set<string>();
    const kill = async (name: string) => {
      killed.add(name);
      await processes.find((process) => process.name === name)!.kill();
    };
    await inForeignTransaction({ test: database }, async (foreign) => {
      await foreign.query('create table conductor.worker (theirs int)');
      for (const process of processes) process.boot();
      let inTheMiddle = 0;
      while (inTheMiddle < KILLS) {
        const [victim] = await until(async () => {
          const found = (await sessions('transactionid')).filter(({ name }) => !killed.has(name));
          return found.length > 0 && found;
        });
        await kill(victim!.name);
        // its server process has not noticed yet: it is still in the middle
        const left = await sessions('transactionid');
        if (left.some(({ pid }) => pid === victim!.pid)) inTheMiddle += 1;
      }
      const [waiting] = await until(async () => {
        const found = (await sessions('advisory')).filter(({ name }) => !killed.has(name));
        return found.length > 0 && found;
      });
      await kill(waiting!.name);
      await expect(
        database.query(
          `select relname from pg_class where relnamespace = 'conductor'::regnamespace`,
        ),
      ).resolves.toEqual([]);
      await foreign.rollback();
    });
    const survivors = processes.filter(({ name }) => !killed.has(name));
    await Promise.all(survivors.map(({ up }) => up));

    await expect(database.query('select name from conductor.migration')).resolves.toHaveLength(1);
    await expect(
      database.query('select version, min_compatible from conductor.installation'),
    ).resolves.toEqual([{ version: 1, min_compatible: 1 }]);
    await open(undefined, 'reference');
    await expect(objects('conductor')).resolves.toEqual(await objects('reference'));
    const workers = await database.query<{ pid: number }>('select pid from conductor.worker');
    expect(workers).toHaveLength(survivors.length);
    const { conductor } = await apps.start({ role: 'client' });
    await expect(
      conductor.invokeAndWait({ name: 'echo' }, 'hello', { timeout: '30s' }),
    ).resolves.toBe('hello');
  });

  it('O2 a process that is killed within a statement without an end gives the lock back: the next one installs', async () => {
    const victim = spawn('app-endless', 'endless');
    await victim.loaded;
    victim.boot();
    await until(async () => (await sessions('PgSleep')).length > 0);
    await victim.kill();
    await open(nextVersion);
    const [installed] = await apps.database.query('select version from conductor.installation');
    expect(installed).toEqual({ version: 2 });
    await expect(
      apps.database.query(
        `select column_name from information_schema.columns where table_name = 'outcome' and column_name = 'settled_by'`,
      ),
    ).resolves.toHaveLength(1);
  });

  it('O2 waits for whoever holds the lock, but not for ever, and says who it is and how to end it', async () => {
    await inForeignTransaction({ test: apps.database }, async (foreign) => {
      const [session] = await foreign.query<{ pid: number }>('select pg_backend_pid() as pid');
      const { pid } = session!;
      await foreign.query(`select pg_advisory_xact_lock(${INSTALL_LOCK})`);
      const hurried = { ...systemClock, now: () => systemClock.now() * 100 };
      const database = new Database(
        { poolSize: 2, schema: 'conductor', migrations: 'auto' },
        hurried,
      );
      apps.keep(database);
      const refused = await database.open({ url: apps.database.url }).catch((e: unknown) => e);
      expect(refused).toBeInstanceOf(InstallBlockedError);
      expect(refused).toMatchObject({ blockers: [{ pid, state: 'idle in transaction' }] });
      expect((refused as Error).message).toContain(`pg_terminate_backend(${pid})`);
    });
  });
});
