import type { ModuleRef } from '@nestjs/core';
import type { DataSource } from 'typeorm';
import { InvalidOptionsError } from '../errors/options.error.js';
import { dataSourceToken } from '../persistence/connection.js';

/** The app's own DataSource of that name.
 *  @param option which option names it, and what could be given instead
 *  @throws InvalidOptionsError if there is none, or it is not of Postgres */
export function appDataSource(
  name: string,
  modules: ModuleRef,
  option: { name: string; instead: string },
): DataSource {
  const found = find(name, modules);
  if (found === undefined) {
    throw new InvalidOptionsError([
      `${option.name}: the app has no DataSource named "${name}"; import TypeOrmModule.forRoot, or ${option.instead}`,
    ]);
  }
  if (found.options.type !== 'postgres') {
    throw new InvalidOptionsError([
      `${option.name}: "${name}" is a ${found.options.type} database; the conductor needs Postgres`,
    ]);
  }
  return found;
}

function find(name: string, modules: ModuleRef): DataSource | undefined {
  try {
    return modules.get<DataSource>(dataSourceToken(name), { strict: false });
  } catch {
    return undefined;
  }
}
