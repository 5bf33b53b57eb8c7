import { MigrationExecutor, type DataSource, type QueryRunner } from 'typeorm';
import { sleep, type Clock } from '../common/clock.js';
import { InstallBlockedError, type BlockingSession } from '../errors/install-blocked.error.js';
import { SchemaVersionError } from '../errors/schema-version.error.js';
import { blockersOf } from './blockers.js';
import { codeOf } from './database-error.js';
import type { DeadlineClient } from './deadline-client.js';
import { Privileges } from './privileges.js';

/** Held by whoever installs, for as long as its transaction lasts. One number for all schemas: installing is rare. */
const INSTALL_LOCK = 7_305_829_114;

/** How long a boot waits for others: their own installation, or a lock on what is to be changed. */
const PATIENCE_MS = 60_000;

/** How long one statement waits for a lock. Whoever waits for a table's lock holds up all that come after it, so a migration
 *  gives up soon, rolls back and comes again. */
const LOCK_WAIT_MS = 2_000;
const PAUSE_MS = 500;

/** While a statement waits, and before it gives up: who holds it up can be told only then. */
const ASK_AFTER_MS = LOCK_WAIT_MS / 2;

/** A statement of a migration may take this long: it may build an index on a large table. We wait for the server's word on it. */
const STATEMENT_MS = 600_000;
const DEADLINE_MS = STATEMENT_MS + 5_000;

/** Not applied: somebody held a lock, or our locks and a worker's crossed. */
const comeAgain = ['55P03', '40P01'];

/** Of the transaction's, also where a pooler drops what a connection starts with. A process that dies gives its lock back at
 *  once if it was between two statements, and a statement notices by itself within a second that nobody is there any more; one that
 *  is frozen loses it after 10 s. Servers that cannot look refuse the last setting. */
const settings = [
  `select set_config('lock_timeout', '${LOCK_WAIT_MS}ms', true), set_config('statement_timeout', '${STATEMENT_MS}ms', true),
     set_config('idle_in_transaction_session_timeout', '10s', true)`,
  `do $$ begin perform set_config('client_connection_check_interval', '1s', true); exception when others then null; end $$`,
];

/** Installs or upgrades the schema. Each migration is one transaction, which takes the lock first and looks what is still to be done:
 *  however many processes boot, and whoever of them is killed, each is applied once and whole.
 *  @throws InstallBlockedError when others hold a lock for a minute */
export async function migrate(source: DataSource, schema: string, clock: Clock): Promise<void> {
  const began = clock.now();
  for (;;) {
    const turn = new Turn(source, schema, clock);
    try {
      if (!(await turn.applyNext())) return;
    } catch (error) {
      if (!comeAgain.includes(codeOf(error) ?? '')) throw error;
      const waited = clock.now() - began;
      if (waited > PATIENCE_MS) throw new InstallBlockedError(schema, waited, turn.blockers);
      await sleep(clock, PAUSE_MS * (0.5 + clock.random()));
    }
  }
}

/** One try to apply what comes next. */
class Turn {
  blockers: BlockingSession[] = [];

  constructor(
    private readonly source: DataSource,
    private readonly schema: string,
    private readonly clock: Clock,
  ) {}

  /** @returns whether there was anything to apply */
  async applyNext(): Promise<boolean> {
    const runner = this.source.createQueryRunner();
    try {
      const client = (await runner.connect()) as DeadlineClient;
      await runner.startTransaction();
      for (const setting of settings) await runner.query(setting);
      const [{ pid }] = await runner.manager.query<[{ pid: number }]>(
        `select pg_backend_pid() as pid`,
      );
      await this.watched(pid, () =>
        runner.query(`select pg_advisory_xact_lock($1)`, [INSTALL_LOCK]),
      );
      const applied = await client.patiently(DEADLINE_MS, () =>
        this.watched(pid, () => this.apply(runner)),
      );
      await runner.commitTransaction();
      return applied;
    } finally {
      if (runner.isTransactionActive) await runner.rollbackTransaction().catch(() => undefined);
      await runner.release();
    }
  }

  private async apply(runner: QueryRunner): Promise<boolean> {
    const executor = new MigrationExecutor(this.source, runner);
    const [next] = await executor.getPendingMigrations();
    if (next === undefined) return false;
    const { isInstalled } = await Privileges.read(runner.manager, this.schema);
    if (!isInstalled) await this.ownSchema(runner);
    await executor.executeMigration(next);
    return true;
  }

  /** Made, or found empty. What somebody else keeps there would be in danger of ours, and ours of theirs: `dropSchema` of an app's
   *  DataSource deletes every table of its schema. */
  private async ownSchema(runner: QueryRunner): Promise<void> {
    // "create … if not exists" asks for the right to create even where there is nothing to do
    const [existing] = await runner.manager.query<{ oid: number }[]>(
      `select oid from pg_namespace where nspname = $1`,
      [this.schema],
    );
    if (existing === undefined) {
      await runner.query(`create schema "${this.schema}"`);
      return;
    }
    const found = await runner.manager.query<{ name: string }[]>(
      `select relname as name from pg_class where relnamespace = $1 and relkind in ('r', 'p', 'v', 'm', 'f')
       union select proname || '()' from pg_proc where pronamespace = $1
       order by 1 limit 5`,
      [existing.oid],
    );
    if (found.length > 0) {
      throw new SchemaVersionError({
        reason: 'occupied',
        schema: this.schema,
        found: found.map(({ name }) => name),
      });
    }
  }

  private async watched<T>(pid: number, wait: () => Promise<T>): Promise<T> {
    let asking: Promise<void> | undefined;
    const timer = this.clock.startTimer(ASK_AFTER_MS, () => {
      asking = this.ask(pid);
    });
    try {
      return await wait();
    } finally {
      this.clock.stopTimer(timer);
      await asking;
    }
  }

  private async ask(pid: number): Promise<void> {
    try {
      this.blockers = await blockersOf(this.source, pid);
    } catch {
      // only for the message
    }
  }
}

/** Names of the migrations that this code has and the schema has not. */
export async function pendingMigrations(source: DataSource): Promise<string[]> {
  const pending = await new MigrationExecutor(source).getPendingMigrations();
  return pending.map(({ name }) => name);
}
