import type { ModuleRef } from '@nestjs/core';
import type { DataSource } from 'typeorm';
import { InvalidOptionsError } from '../errors/options.error.js';
import type { ConnectionOptions } from '../interfaces/module-options.js';
import { dataSourceToken, type ConnectionTarget } from '../persistence/connection.js';

/** Where to connect: as the options say, or to where the app's own DataSource of that name does. Only its options are used;
 *  pool and entities stay apart. */
export function connectionTarget(
  connection: ConnectionOptions,
  modules: ModuleRef,
): ConnectionTarget {
  if (!('dataSource' in connection)) return connection;
  const found = dataSources(connection.dataSource, modules);
  if (found === undefined) {
    throw new InvalidOptionsError([
      `connection.dataSource: the app has no DataSource named "${connection.dataSource}"; import TypeOrmModule.forRoot, or give connection.url`,
    ]);
  }
  if (found.options.type !== 'postgres') {
    throw new InvalidOptionsError([
      `connection.dataSource: "${connection.dataSource}" is a ${found.options.type} database; the conductor needs Postgres`,
    ]);
  }
  return { dataSource: found.options };
}

function dataSources(name: string, modules: ModuleRef): DataSource | undefined {
  try {
    return modules.get<DataSource>(dataSourceToken(name), { strict: false });
  } catch {
    return undefined;
  }
}
