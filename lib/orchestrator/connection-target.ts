import type { ModuleRef } from '@nestjs/core';
import type { ConnectionOptions } from '../interfaces/module-options.js';
import type { ConnectionTarget } from '../persistence/connection.js';
import { appDataSource } from './app-data-source.js';

/** Where to connect: as the options say, or to where the app's own DataSource of that name does. Only its options are used;
 *  pool and entities stay apart. */
export function connectionTarget(
  connection: ConnectionOptions,
  modules: ModuleRef,
): ConnectionTarget {
  if (!('dataSource' in connection)) return connection;
  const { options } = appDataSource(connection.dataSource, modules, {
    name: 'connection.dataSource',
    instead: 'give connection.url',
  });
  return { dataSource: options };
}
