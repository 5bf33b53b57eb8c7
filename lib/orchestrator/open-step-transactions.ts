import type { ModuleRef } from '@nestjs/core';
import type { Clock } from '../common/clock.js';
import { InvalidOptionsError } from '../errors/options.error.js';
import type { ResolvedOptions } from '../interfaces/module-options.js';
import type { Database } from '../persistence/database.js';
import { StepTransactions } from '../persistence/step-transactions.js';
import { appDataSource } from './app-data-source.js';

/** Opens what transactional steps run in, where the app has said of which DataSource.
 *  @param sources transactional `@Step` methods of the app
 *  @throws InvalidOptionsError if such steps have no DataSource; OtherDatabaseError */
export async function openStepTransactions(
  option: ResolvedOptions['transactions'],
  sources: string[],
  modules: ModuleRef,
  database: Database,
  clock: Clock,
): Promise<StepTransactions | undefined> {
  if (option === undefined) {
    if (sources.length === 0) return undefined;
    throw new InvalidOptionsError([
      `transactions is missing: ${sources.join(', ')} ${sources.length === 1 ? 'is a transactional step' : 'are transactional steps'}, ` +
        "which use the app's DataSource; give transactions: { dataSource: 'default' }",
    ]);
  }
  const source = appDataSource(option.dataSource, modules, {
    name: 'transactions.dataSource',
    instead: 'leave the option out',
  });
  const transactions = new StepTransactions(
    source,
    option.dataSource,
    option.idleTimeout,
    database,
    clock,
  );
  await transactions.check();
  return transactions;
}
