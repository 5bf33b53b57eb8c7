import pg, { type Pool } from 'pg';
import { DataSource, type EntityTarget, type ObjectLiteral, type Repository } from 'typeorm';
import { atMost, type Clock } from '../common/clock.js';
import { ConductorError } from '../errors/conductor.error.js';
import { ConductorStoppedError } from '../errors/conductor-stopped.error.js';
import { DatabaseUnavailableError } from '../errors/database-unavailable.error.js';
import { SchemaVersionError } from '../errors/schema-version.error.js';
import { dataSourceOptions, describeTarget, poolOf, type ConnectionTarget } from './connection.js';
import { DeadlineClient, type DeadlineConfig } from './deadline-client.js';
import { classify, isTransientClass, withoutValues } from './database-error.js';
import { CancellationEntity } from './entities/cancellation.entity.js';
import { ExecutionEntity } from './entities/execution.entity.js';
import { FailureEntity } from './entities/failure.entity.js';
import { InstallationEntity } from './entities/installation.entity.js';
import { OutcomeEntity } from './entities/outcome.entity.js';
import { QueueEntity } from './entities/queue.entity.js';
import { RerunEntity } from './entities/rerun.entity.js';
import { RunEntity } from './entities/run.entity.js';
import { StepEntity } from './entities/step.entity.js';
import { TaskEntity } from './entities/task.entity.js';
import { migrate, pendingMigrations } from './migrate.js';
import { Privileges } from './privileges.js';
import { schemaCode } from './schema-code.js';
import { Statement, StatementFailure } from './statement.js';

/** Connections that stay open when there is nothing to do, as far as the pool may have so many: a worker claims, settles and saves at
 *  once. Opening one takes longer (5 to 15 ms) than what it is opened for. */
const KEPT = { worker: 3, client: 1 };

/** For connections to end in order, before they are cut: a statement may run, or the other end be silent. */
const CLOSE_PATIENCE_MS = 250;

export interface DatabaseSettings {
  poolSize: number;
  schema: string;
  migrations: 'auto' | 'verify' | 'off';
  /** Default: `all`. A client needs fewer privileges. */
  role?: 'all' | 'worker' | 'client';
}

/** Our own data source and pool. The app's data source never learns of our entities, so its `synchronize` and
 *  `dropSchema` cannot touch our schema. */
export class Database {
  readonly statement: Statement;
  readonly schema: string;
  /** host:port/database, for messages. */
  private where = '';
  private source?: DataSource;
  private closed = false;
  private readonly lanes: Pool[] = [];
  private readonly connections = new Set<DeadlineClient>();

  constructor(
    private readonly settings: DatabaseSettings,
    private readonly clock: Clock,
    /** The version that this code works with, and how to come there. */
    readonly code = schemaCode,
  ) {
    this.schema = settings.schema;
    this.statement = new Statement(() => this.pool(), clock);
  }

  /** Connects, then installs or checks the schema.
   *  @throws DatabaseUnavailableError, SchemaVersionError, MissingPrivilegeError, InstallBlockedError */
  async open(target: ConnectionTarget): Promise<void> {
    this.where = describeTarget(target);
    const source = new DataSource({
      ...dataSourceOptions(target, { ...this.settings, kept: this.kept }, this.connections),
      entities: [
        QueueEntity,
        TaskEntity,
        ExecutionEntity,
        RerunEntity,
        RunEntity,
        OutcomeEntity,
        StepEntity,
        FailureEntity,
        CancellationEntity,
        InstallationEntity,
      ],
      migrations: this.code.migrations,
      migrationsTableName: 'migration',
    });
    try {
      await source.initialize();
    } catch (error) {
      throw this.visible(error, 'connect');
    }
    this.source = source;
    try {
      await this.prepareSchema(source);
      await this.warmUp();
    } catch (error) {
      await this.close();
      throw this.visible(error, 'install or check its schema');
    }
  }

  repository<E extends ObjectLiteral>(entity: EntityTarget<E>): Repository<E> {
    return this.opened().getRepository(entity);
  }

  /** For persist(): go on for this long. */
  patience(ms: number): () => boolean {
    const end = this.clock.now() + ms;
    return () => this.clock.now() < end;
  }

  /** A connection outside the pool, not connected yet. */
  ownClient(): DeadlineClient {
    return new DeadlineClient(this.pool().options);
  }

  /** A connection beside the pool, made when it is first used: for what must not wait until others are done with theirs. What
   *  is not answered within `deadlineMs`, connecting included, fails, and the next statement goes on a new connection. */
  lane(deadlineMs: number): Statement {
    let lane: Pool | undefined;
    return new Statement(() => (lane ??= this.openLane(deadlineMs)), this.clock);
  }

  /** Closes every connection; what is still under way on one fails. */
  async close(): Promise<void> {
    this.closed = true;
    const source = this.source;
    this.source = undefined;
    const ended = Promise.all([
      source?.destroy(),
      ...this.lanes.splice(0).map((lane) => lane.end()),
    ]);
    await atMost(this.clock, CLOSE_PATIENCE_MS, ended);
    for (const connection of this.connections) connection.cut();
    await ended;
  }

  private get kept(): number {
    const { role, poolSize } = this.settings;
    return Math.min(role === 'client' ? KEPT.client : KEPT.worker, poolSize);
  }

  /** Opens the connections that are kept. One that cannot be had now is opened when it is needed. */
  private async warmUp(): Promise<void> {
    const pool = this.pool();
    const opened = await Promise.allSettled(
      Array.from({ length: this.kept }, () => pool.connect()),
    );
    for (const one of opened) if (one.status === 'fulfilled') one.value.release();
  }

  private openLane(deadlineMs: number): Pool {
    const { options } = this.pool();
    const config: pg.PoolConfig & DeadlineConfig = {
      ...options,
      password: options.password, // a pool hides it from the spread
      min: 0,
      max: 1,
      connectionTimeoutMillis: deadlineMs,
      deadlineMs,
    };
    const lane = new pg.Pool(config);
    lane.on('error', () => undefined); // lost while idle: the next statement makes a new one
    this.lanes.push(lane);
    return lane;
  }

  private async prepareSchema(source: DataSource): Promise<void> {
    const purpose = this.settings.role === 'client' ? 'ask' : 'work';
    const privileges = await Privileges.read(source.manager, this.schema);
    if (privileges.isInstalled) await privileges.assertMayUse(purpose);
    let installed = privileges.isInstalled ? await this.installed() : undefined;
    // only upwards: what newer code has installed is left alone
    if (this.settings.migrations === 'auto' && (installed?.version ?? 0) < this.code.version) {
      privileges.assertMayMigrate();
      await migrate(source, this.schema, this.clock);
      await (await Privileges.read(source.manager, this.schema)).assertMayUse(purpose); // others may have installed it
      installed = await this.installed();
    } else {
      await this.assertNothingPending(source, installed);
    }
    if (installed === undefined)
      throw new SchemaVersionError({ reason: 'missing', schema: this.schema });
    const tooOld = this.tooOld(installed);
    if (tooOld !== undefined) throw tooOld;
  }

  private async assertNothingPending(
    source: DataSource,
    installed?: InstallationEntity,
  ): Promise<void> {
    const isOlder = installed !== undefined && installed.version < this.code.version;
    if (this.settings.migrations !== 'verify' && !isOlder) return;
    const pending = await pendingMigrations(source);
    if (pending.length > 0)
      throw new SchemaVersionError({ reason: 'behind', schema: this.schema, pending });
  }

  /** The error for code that is older than the schema allows. */
  tooOld({ version, minCompatible }: Pick<InstallationEntity, 'version' | 'minCompatible'>) {
    if (minCompatible <= this.code.version) return undefined;
    return new SchemaVersionError({
      reason: 'ahead',
      schema: this.schema,
      installed: version,
      minCompatible,
      code: this.code.version,
    });
  }

  private async installed(): Promise<InstallationEntity | undefined> {
    const [row] = await this.repository(InstallationEntity).find();
    return row;
  }

  /** The error that a user may see: typed, and without values of parameters. */
  visible(error: unknown, what: string): unknown {
    if (error instanceof ConductorError) return error;
    if (error instanceof StatementFailure) return this.visible(error.driverError, what);
    const kind = classify(error);
    if (isTransientClass(kind)) {
      return new DatabaseUnavailableError(this.where, withoutValues(error), what);
    }
    return withoutValues(error);
  }

  private opened(): DataSource {
    if (this.source === undefined)
      throw new ConductorStoppedError(
        'The conductor',
        this.closed ? 'after-close' : 'before-start',
      );
    return this.source;
  }

  private pool(): Pool {
    return poolOf(this.opened());
  }
}
