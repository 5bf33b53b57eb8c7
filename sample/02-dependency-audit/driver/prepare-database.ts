import { DataSource } from 'typeorm';
import { APP_SCHEMA, CONDUCTOR_SCHEMA, databaseOptions } from '../settings.js';

/** Takes away what a run before this one left, and makes the app's tables. The conductor's are made by whichever process
 *  boots first. */
export async function prepareDatabase(url: string): Promise<void> {
  const dataSource = await new DataSource(databaseOptions(url)).initialize();
  try {
    for (const schema of [CONDUCTOR_SCHEMA, APP_SCHEMA]) {
      await dataSource.query(`drop schema if exists "${schema}" cascade`);
    }
    await dataSource.query(`create schema "${APP_SCHEMA}"`);
    await dataSource.synchronize();
  } finally {
    await dataSource.destroy();
  }
}
