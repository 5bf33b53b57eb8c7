import { Module, type DynamicModule, type Provider } from '@nestjs/common';
import { ConductorModule } from '../../../lib/index.js';
import type { Load } from '../harness/load.js';
import { LEDGER_URL, LedgerWriter } from './ledger-writer.js';
import { OrderSteps, OrderTasks } from './load-a.tasks.js';
import { BatchTasks } from './load-batch.tasks.js';
import { PoisonTasks } from './load-poison.tasks.js';
import { LongTasks } from './load-long.tasks.js';
import { ReadTasks } from './load-reads.tasks.js';
import { conductorOptions, type WorkerSettings } from './settings.js';

const providersOf: Record<Load['id'], Provider[]> = {
  A: [OrderTasks, OrderSteps],
  reads: [ReadTasks],
  long: [LongTasks],
  batch: [BatchTasks],
  poison: [PoisonTasks],
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
  }: WorkerSettings): DynamicModule {
    return {
      module: WorkerModule,
      imports: [
        ConductorModule.forRoot(
          conductorOptions(engineUrl, {
            role: 'worker',
            autoStart: false,
            poolSize,
            listen,
            queues: { default: { concurrency } },
          }),
        ),
      ],
      providers: [{ provide: LEDGER_URL, useValue: ledgerUrl }, LedgerWriter, ...providersOf[load]],
    };
  }
}
