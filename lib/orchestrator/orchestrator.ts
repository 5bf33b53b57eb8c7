import {
  Inject,
  Injectable,
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
import { Database } from '../persistence/database.js';
import { Notifier } from '../persistence/notifier.js';
import { connectionTarget } from './connection-target.js';
import { CrewFactory } from './crew-factory.js';
import { LAST_WORD_MS, type Crew } from './crew.js';

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
  private crew?: Crew;
  /** Starts and stops come one after the other, in the order in which they were asked for. */
  private turn: Promise<unknown> = Promise.resolve();
  private wanted = false;
  private closing = false;
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
    private readonly notifier: Notifier,
    private readonly enqueuer: Enqueuer,
    private readonly waiter: ResultWaiter,
    private readonly crews: CrewFactory,
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
      if (this.hasTasks) await this.crews.prepare();
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
      isRunning: this.crew?.isStopping === false,
      isShuttingDown: this.crew?.isStopping === true,
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
      await this.crew?.stop(this.options.shutdown);
      this.enqueuer.localWorker = undefined;
      this.crew = undefined;
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
    try {
      await this.crew?.drain();
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

  private async begin(): Promise<void> {
    if (this.crew !== undefined) return;
    this.crew = await this.crews.start(() => this.wanted);
    this.enqueuer.localWorker = this.crew.worker;
  }
}
