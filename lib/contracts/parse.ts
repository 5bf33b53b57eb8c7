import type { StandardSchemaV1 } from '@standard-schema/spec';
import { renderPath } from '../common/value-path.js';
import type { ValueIssue } from '../errors/value-issue.js';

export type Parsed = { value: unknown; issues?: undefined } | { issues: ValueIssue[] };

/** Without a schema every value passes as it is. Rejects only when the schema itself throws. */
export async function parseWith(
  schema: StandardSchemaV1 | undefined,
  value: unknown,
): Promise<Parsed> {
  if (schema === undefined) return { value };
  const result = await schema['~standard'].validate(value);
  if (!result.issues) return { value: result.value };
  return {
    issues: result.issues.map(({ path = [], message }) => ({
      path: renderPath(
        path.map((segment) => (typeof segment === 'object' ? segment.key : segment)),
      ),
      message,
    })),
  };
}
