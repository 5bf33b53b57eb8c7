import { hostname } from 'node:os';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import type { Clock } from '../common/clock.js';
import { CLOCK, OPTIONS } from '../conductor.constants.js';
import { TaskExplorer } from '../discovery/task.explorer.js';
import { TaskRegistry } from '../discovery/task.registry.js';
import type { ResolvedOptions } from '../interfaces/module-options.js';
import { Database } from '../persistence/database.js';
import { BlockedRepository } from '../persistence/repositories/blocked.repository.js';
import { TaskRepository } from '../persistence/repositories/task.repository.js';
import { WorkerRepository } from '../persistence/repositories/worker.repository.js';
import type { StepTransactions } from '../persistence/step-transactions.js';
import type { TaskContexts } from '../worker/task-contexts.js';
import { Crew } from './crew.js';
import { taskContexts } from './custom-context.js';
import { openStepTransactions } from './open-step-transactions.js';
import { registerTasks, warnOfUnserved } from './task-registration.js';

const REGISTER_PATIENCE_MS = 10_000;

/** Makes a crew of what the app has: its tasks, its own context, its DataSource. */
@Injectable()
export class CrewFactory {
  private readonly logger = new Logger('Conductor');
  private contexts?: TaskContexts;
  private transactions?: StepTransactions;

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
    private readonly modules: ModuleRef,
  ) {}

  /** What a crew will need, once: what cannot work fails the boot, whenever the worker starts. */
  async prepare(): Promise<void> {
    await Promise.all([this.openContexts(), this.openTransactions()]);
  }

  /** Registers the tasks, and starts a crew for the queues of theirs that this process serves.
   *  @param goOn whether to go on trying while the database does not answer, for 10 s at most */
  async start(goOn: () => boolean): Promise<Crew> {
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
    const patient = this.database.patience(REGISTER_PATIENCE_MS);
    await crew.start(queues, hostname(), () => goOn() && patient());
    return crew;
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
}
