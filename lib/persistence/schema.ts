import type { DataSource } from 'typeorm';

/** The version of the schema that this code writes, and the oldest code that may still work beside it. */
export const SCHEMA_VERSION = 1;

export function schemaOf(dataSource: DataSource): string {
  const { schema } = dataSource.options as { schema?: string };
  if (schema === undefined)
    throw new Error('The conductor data source was opened without a schema.');
  return schema;
}
