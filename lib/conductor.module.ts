import { Module, type Provider } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Canceller } from './client/canceller.js';
import { Conductor } from './client/conductor.js';
import { Enqueuer } from './client/enqueuer.js';
import { Rerunner } from './client/rerunner.js';
import { Resumer } from './client/resumer.js';
import { ResultWaiter } from './client/result-waiter.js';
import { systemClock, type Clock } from './common/clock.js';
import { CLOCK, OPTIONS } from './conductor.constants.js';
import { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } from './conductor.module-definition.js';
import { resolveOptions } from './conductor.options.js';
import { TaskMetadataAccessor } from './discovery/task-metadata.accessor.js';
import { TaskExplorer } from './discovery/task.explorer.js';
import { TaskRegistry } from './discovery/task.registry.js';
import type { ResolvedOptions } from './interfaces/module-options.js';
import { CrewFactory } from './orchestrator/crew-factory.js';
import { Orchestrator } from './orchestrator/orchestrator.js';
import { CallerTransactions } from './persistence/caller-transactions.js';
import { Database } from './persistence/database.js';
import { Notifier } from './persistence/notifier.js';
import { BlockedRepository } from './persistence/repositories/blocked.repository.js';
import { CancelRepository } from './persistence/repositories/cancel.repository.js';
import { ExecutionReader } from './persistence/repositories/execution.reader.js';
import { NewExecutionRepository } from './persistence/repositories/new-execution.repository.js';
import { RerunRepository } from './persistence/repositories/rerun.repository.js';
import { TaskRepository } from './persistence/repositories/task.repository.js';
import { WorkerRepository } from './persistence/repositories/worker.repository.js';

/** A beat is given up and sent again this often before the lease ends: a socket can be half-open, and what is sent on it vanish. */
const BEAT_TRIES_PER_LEASE = 3;

/** In the order in which data flows: options, database, what asks for work, what finds the tasks, what keeps them running. */
const providers: Provider[] = [
  { provide: OPTIONS, inject: [MODULE_OPTIONS_TOKEN], useFactory: resolveOptions },
  { provide: CLOCK, useValue: systemClock },
  {
    provide: Database,
    inject: [OPTIONS, CLOCK],
    useFactory: (options: ResolvedOptions, clock: Clock) => new Database(options, clock),
  },
  {
    provide: Notifier,
    inject: [Database, CLOCK],
    useFactory: (database: Database, clock: Clock) => new Notifier(database, clock),
  },
  {
    provide: NewExecutionRepository,
    inject: [Database],
    useFactory: (database: Database) => new NewExecutionRepository(database),
  },
  {
    provide: BlockedRepository,
    inject: [Database],
    useFactory: (database: Database) => new BlockedRepository(database),
  },
  {
    provide: RerunRepository,
    inject: [Database],
    useFactory: (database: Database) => new RerunRepository(database),
  },
  {
    provide: ExecutionReader,
    inject: [Database],
    useFactory: (database: Database) => new ExecutionReader(database),
  },
  {
    provide: TaskRepository,
    inject: [Database],
    useFactory: (database: Database) => new TaskRepository(database),
  },
  {
    provide: WorkerRepository,
    inject: [Database, OPTIONS],
    useFactory: (database: Database, { lease }: ResolvedOptions) =>
      new WorkerRepository(database, database.lane(lease / BEAT_TRIES_PER_LEASE)),
  },
  {
    provide: Enqueuer,
    inject: [Database, NewExecutionRepository, TaskRepository, Notifier, CLOCK],
    useFactory: (
      database: Database,
      executions: NewExecutionRepository,
      tasks: TaskRepository,
      notifier: Notifier,
      clock: Clock,
    ) => new Enqueuer(database, executions, tasks, notifier, clock),
  },
  {
    provide: CallerTransactions,
    inject: [Database, CLOCK],
    useFactory: (database: Database, clock: Clock) => new CallerTransactions(database, clock),
  },
  {
    provide: Resumer,
    inject: [Database, BlockedRepository, Notifier],
    useFactory: (database: Database, blocked: BlockedRepository, notifier: Notifier) =>
      new Resumer(database, blocked, notifier),
  },
  {
    provide: Canceller,
    inject: [Database, Notifier],
    useFactory: (database: Database, notifier: Notifier) =>
      new Canceller(database, new CancelRepository(database), notifier),
  },
  {
    provide: Rerunner,
    inject: [Database, RerunRepository, Notifier],
    useFactory: (database: Database, reruns: RerunRepository, notifier: Notifier) =>
      new Rerunner(database, reruns, notifier),
  },
  {
    provide: ResultWaiter,
    inject: [ExecutionReader, CLOCK],
    useFactory: (reader: ExecutionReader, clock: Clock) => new ResultWaiter(reader, clock),
  },
  {
    provide: Conductor,
    inject: [
      Enqueuer,
      Resumer,
      Rerunner,
      ExecutionReader,
      ResultWaiter,
      CallerTransactions,
      Canceller,
    ],
    useFactory: (
      enqueuer: Enqueuer,
      resumer: Resumer,
      rerunner: Rerunner,
      reader: ExecutionReader,
      waiter: ResultWaiter,
      transactions: CallerTransactions,
      canceller: Canceller,
    ) => new Conductor(enqueuer, resumer, rerunner, reader, waiter, transactions, canceller),
  },
  TaskMetadataAccessor,
  TaskExplorer,
  TaskRegistry,
  CrewFactory,
  Orchestrator,
];

/** Durable tasks for the app: import `ConductorModule.forRoot(options)` or `forRootAsync` once, in the root module. */
@Module({
  imports: [DiscoveryModule],
  providers,
  exports: [Conductor, Orchestrator],
})
export class ConductorModule extends ConfigurableModuleClass {}
