import { hostname } from 'node:os';
import {
  Inject,
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { CLOCK, OPTIONS } from '../conductor.constants.js';
import { atMost, type Clock, type Timer } from '../common/clock.js';
import { deferred } from '../common/deferred.js';
import { Enqueuer } from '../client/enqueuer.js';
import { ResultWaiter } from '../client/result-waiter.js';
import { assertSchemas } from '../contracts/assert-schemas.js';
import { TaskExplorer } from '../discovery/task.explorer.js';
import { TaskRegistry } from '../discovery/task.registry.js';
import { ConductorStoppedError } from '../errors/conductor-stopped.error.js';
import { NoTasksError } from '../errors/no-tasks.error.js';
import type { ResolvedOptions } from '../interfaces/module-options.js';
import { channelOf } from '../persistence/channel.js';
import { Database } from '../persistence/database.js';
import { NotificationListener } from '../persistence/notification.listener.js';
import { Notifier } from '../persistence/notifier.js';
import { BlockedRepository } from '../persistence/repositories/blocked.repository.js';
import { TaskRepository } from '../persistence/repositories/task.repository.js';
import { WorkerRepository } from '../persistence/repositories/worker.repository.js';
import type { StepTransactions } from '../persistence/step-transactions.js';
import type { TaskContexts } from '../worker/task-contexts.js';
import { Crew, LAST_WORD_MS } from './crew.js';
import { connectionTarget } from './connection-target.js';
import { taskContexts } from './custom-context.js';
import { openStepTransactions } from './open-step-transactions.js';
import { registerTasks, warnOfUnserved } from './task-registration.js';

const REGISTER_PATIENCE_MS = 10_000;

/** How often drain() looks whether anything is left, beside being told when this process has nothing to do. */
const DRAIN_PAUSE_MS = 50;

/** How long after its start an app may call enableShutdownHooks. */
const HOOKS_GRACE_MS = 5_000;

export interface OrchestratorInfo {
  /** This worker's number in the database, while it runs. */
  id?: number;
  role: ResolvedOptions['role'];
  isRunning: boolean;
  isShuttingDown: boolean;
  isStopped: boolean;
  /** Queues that this process serves. */
  queues: string[];
  /** Executions whose handler runs in this process now. */
  running: number;
}

/** Keeps the work running: finds the tasks, opens the database, starts the worker when the app is up and drains it before
 *  the app goes down. */
@Injectable()
export class Orchestrator
  implements
    OnModuleInit,
    OnApplicationBootstrap,
    OnModuleDestroy,
    BeforeApplicationShutdown,
    OnApplicationShutdown
{
  private readonly logger = new Logger('Conductor');
  private crew?: Crew;
  private contexts?: TaskContexts;
  private transactions?: StepTransactions;
  /** Starts and stops come one after the other, in the order in which they were asked for. */
  private turn: Promise<unknown> = Promise.resolve();
  private wanted = false;
  private stopping = false;
  private closing = false;
  private hooksTimer?: Timer;
  private hardTimer?: Timer;
  private goodbyeBy = Infinity;
  private startedSignal = deferred<void>();
  private stoppedSignal = deferred<void>();
  /** Between a start and the next stop. */
  private up = false;
  /** How often somebody else than drain() has asked for a start. */
  private starts = 0;

  /** @internal */
  constructor(
    @Inject(OPTIONS) private readonly options: ResolvedOptions,
    @Inject(CLOCK) private readonly clock: Clock,
    private readonly explorer: TaskExplorer,
    private readonly registry: TaskRegistry,
    private readonly database: Database,
    private readonly tasks: TaskRepository,
    private readonly blocked: BlockedRepository,
    private readonly workers: WorkerRepository,
    private readonly notifier: Notifier,
    private readonly enqueuer: Enqueuer,
    private readonly waiter: ResultWaiter,
    private readonly modules: ModuleRef,
  ) {}

  async onModuleInit(): Promise<void> {
    if (this.options.role !== 'client') this.registry.addAll(await this.explorer.explore());
    await assertSchemas(this.registry.all());
    if (this.options.role === 'worker' && this.registry.all().length === 0)
      throw new NoTasksError();
    await this.database.open(connectionTarget(this.options.connection, this.modules));
  }

  async onApplicationBootstrap(): Promise<void> {
    try {
      // what cannot work fails the boot, whenever the worker starts
      if (this.hasTasks) await Promise.all([this.openContexts(), this.openTransactions()]);
      if (this.options.autoStart) await this.start();
    } catch (error) {
      await this.onApplicationShutdown(); // an app that does not come up shall leave no connection behind
      throw error;
    }
  }

  /** The first hook of a shutdown: what others of the app do in theirs may take long, and nothing shall be claimed meanwhile. */
  onModuleDestroy(): void {
    this.closing = true;
    // a request that waits for a result keeps the app's server open, which Nest closes between the next hook and the last
    const { hard } = this.options.shutdown;
    this.hardTimer = this.clock.startTimer(hard, () => this.waiter.close());
    this.goodbyeBy = this.clock.now() + hard + LAST_WORD_MS;
    void this.stop();
  }

  async beforeApplicationShutdown(): Promise<void> {
    // the stop comes after a start that is under way, which may be looking for its database
    await atMost(this.clock, this.goodbyeBy - this.clock.now(), this.stop());
  }

  async onApplicationShutdown(): Promise<void> {
    this.clock.stopTimer(this.hardTimer);
    this.waiter.close();
    this.notifier.close();
    await this.database.close();
  }

  /** Resolves when the worker runs. */
  get started(): Promise<void> {
    return this.startedSignal.promise;
  }

  /** Resolves when the worker has stopped. */
  get stopped(): Promise<void> {
    return this.stoppedSignal.promise;
  }

  get info(): OrchestratorInfo {
    return {
      id: this.crew?.workerId,
      role: this.options.role,
      isRunning: this.crew !== undefined && !this.stopping,
      isShuttingDown: this.stopping,
      isStopped: this.crew === undefined && !this.wanted,
      queues: this.crew?.queues.map(({ name }) => name) ?? [],
      running: this.crew?.worker.busy ?? 0,
    };
  }

  /** Starts claiming. A client, or an app without tasks, has nothing to claim and starts nothing. Started already: does nothing.
   *  @throws DatabaseUnavailableError, ConductorStoppedError once the app is being closed */
  async start(): Promise<void> {
    this.starts += 1;
    await this.open();
  }

  private async open(): Promise<void> {
    if (this.closing) throw new ConductorStoppedError('Orchestrator.start');
    this.wanted = true;
    await this.inTurn(async () => {
      try {
        if (this.hasTasks) await this.begin();
        if (!this.up) this.stoppedSignal = deferred();
        this.up = true;
        this.startedSignal.resolve();
      } catch (error) {
        this.wanted = false;
        throw this.database.visible(error, 'start');
      }
    });
  }

  /** Stops claiming, lets handlers run to their next step boundary, and settles what they came to. At the soft deadline of
   *  `shutdown` their signals are aborted; at the hard one they are left behind: their executions are taken over when this
   *  worker's lease lapses. Never rejects. */
  async stop(): Promise<void> {
    this.wanted = false;
    await this.inTurn(async () => {
      this.clock.stopTimer(this.hooksTimer);
      this.stopping = this.crew !== undefined;
      await this.crew?.stop(this.options.shutdown);
      this.enqueuer.localWorker = undefined;
      this.crew = undefined;
      this.stopping = false;
      if (this.up) this.startedSignal = deferred();
      this.up = false;
      this.stoppedSignal.resolve();
    });
  }

  /** Runs until nothing of this app's tasks runs or could run now, retries and chains included, then resolves; what waits
   *  for a later time does not count. Starts the worker for as long as it takes if it was not running. Ends early if the
   *  worker is stopped meanwhile. Not for handlers: it would wait for itself.
   *  @throws as `start` */
  async drain(): Promise<void> {
    const wasRunning = this.wanted;
    const { starts } = this;
    await this.open();
    const crew = this.crew;
    if (crew === undefined) return;
    const goesOn = () => this.crew === crew && !this.stopping;
    try {
      while (goesOn() && (await this.workers.runnable(crew.worker.taskIds)) && goesOn()) {
        crew.worker.wake();
        await atMost(this.clock, DRAIN_PAUSE_MS, crew.worker.settled());
      }
    } catch (error) {
      throw this.database.visible(error, 'drain');
    } finally {
      if (!wasRunning && starts === this.starts) await this.stop();
    }
  }

  private inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.turn.then(act);
    this.turn = turn.catch(() => undefined);
    return turn;
  }

  /** A client finds none. */
  private get hasTasks(): boolean {
    return this.registry.all().length > 0;
  }

  private async openContexts(): Promise<TaskContexts> {
    this.contexts ??= await taskContexts(this.options.context, this.modules);
    return this.contexts;
  }

  private async openTransactions(): Promise<StepTransactions | undefined> {
    this.transactions ??= await openStepTransactions(
      this.options.transactions,
      this.explorer.transactionalSteps(),
      this.modules,
      this.database,
      this.clock,
    );
    return this.transactions;
  }

  private async begin(): Promise<void> {
    if (this.crew !== undefined) return;
    warnOfUnserved(this.registry.all(), this.options, this.logger);
    const queues = await registerTasks(
      this.registry.all(),
      this.options,
      this.tasks,
      this.blocked,
      REGISTER_PATIENCE_MS,
    );
    const crew = new Crew(
      this.options,
      this.database,
      this.workers,
      await this.openContexts(),
      this.clock,
      await this.openTransactions(),
    );
    crew.listener = this.options.listen
      ? new NotificationListener(this.database, () => crew.worker.wake(), this.clock)
      : undefined;
    const patient = this.database.patience(REGISTER_PATIENCE_MS);
    await crew.start(queues, hostname(), () => this.wanted && patient());
    crew.listener?.start(queues.map(({ queueId }) => channelOf(this.database.schema, queueId)));
    this.crew = crew;
    this.enqueuer.localWorker = crew.worker;
    // an application context starts before it can be told to listen for signals
    this.hooksTimer = this.clock.startTimer(HOOKS_GRACE_MS, () => this.warnWithoutShutdownHooks());
  }

  private warnWithoutShutdownHooks(): void {
    if (process.listenerCount('SIGTERM') > 0) return;
    this.logger.warn(
      'Nothing listens for SIGTERM: call app.enableShutdownHooks(), or a deploy cuts handlers off instead of draining them.',
    );
  }
}
