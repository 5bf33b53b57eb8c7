import type { DataSource } from 'typeorm';

export function schemaOf(dataSource: DataSource): string {
  const { schema } = dataSource.options as { schema?: string };
  if (schema === undefined)
    throw new Error('The conductor data source was opened without a schema.');
  return schema;
}
