import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { CLOCK } from '../../../lib/conductor.constants.js';
import { ConductorModule } from '../../../lib/index.js';
import type { Load } from '../harness/load.js';
import { LEDGER_URL, LedgerWriter } from './ledger-writer.js';
import { OrderSteps, OrderTasks } from './load-a.tasks.js';
import { BatchTasks } from './load-batch.tasks.js';
import { FamilyTasks } from './load-family.tasks.js';
import { FrozenTasks, StopsBeforeCommit } from './load-frozen.tasks.js';
import { PoisonTasks } from './load-poison.tasks.js';
import { LongTasks } from './load-long.tasks.js';
import { ReadTasks } from './load-reads.tasks.js';
import { WorkflowSteps, WorkflowTasks } from './load-workflow.tasks.js';
import { clockWithFaults } from './fault-clock.js';
import { conductorOptions, type WorkerFaults, type WorkerSettings } from './settings.js';

/** Of the app's own connects, and statements in its transactions. */
const QUERY_TIMEOUT_MS = 5_000;

const providersOf: Record<Load['id'], Provider[]> = {
  A: [OrderTasks, OrderSteps],
  reads: [ReadTasks],
  long: [LongTasks],
  batch: [BatchTasks],
  family: [FamilyTasks],
  poison: [PoisonTasks],
  workflow: [WorkflowSteps, WorkflowTasks],
  frozen: [FrozenTasks, StopsBeforeCommit],
};

@Module({})
export class WorkerModule {
  static with({
    engineUrl,
    ledgerUrl,
    load,
    concurrency,
    poolSize,
    listen = true,
    faults,
  }: WorkerSettings): DynamicModule {
    return {
      module: WorkerModule,
      imports: [
        // called as the engine's own connections are, so that what is done to those is done to these as well
        TypeOrmModule.forRoot({
          type: 'postgres',
          url: engineUrl,
          applicationName: 'nest-conductor',
          poolErrorHandler: () => undefined,
          // as README tells an app: on a half-open socket a connect, or a body's own statement, would wait for ever
          connectTimeoutMS: QUERY_TIMEOUT_MS,
          extra: { query_timeout: QUERY_TIMEOUT_MS },
        }),
        withFaults(
          ConductorModule.forRoot(
            conductorOptions(engineUrl, {
              role: 'worker',
              autoStart: false,
              poolSize,
              listen,
              transactions: { dataSource: 'default' },
              queues: { default: { concurrency } },
            }),
          ),
          faults,
        ),
      ],
      providers: [{ provide: LEDGER_URL, useValue: ledgerUrl }, LedgerWriter, ...providersOf[load]],
    };
  }
}

/** What a dynamic module provides comes after what its class does, and so takes its place. */
function withFaults(conductor: DynamicModule, faults?: WorkerFaults): DynamicModule {
  if (faults === undefined) return conductor;
  const clock: Provider = { provide: CLOCK, useValue: clockWithFaults(faults) };
  return { ...conductor, providers: [...(conductor.providers ?? []), clock] };
}
