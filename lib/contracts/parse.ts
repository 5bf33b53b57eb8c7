import type { StandardSchemaV1 } from '@standard-schema/spec';
import { renderPath } from '../common/value-path.js';
import type { ValueIssue } from '../errors/value-issue.js';
import { isDtoSchema } from './dto-schema.js';

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

/** A value in the form in which it is stored: of instances of DTOs their data. */
export async function storedForm(
  schema: StandardSchemaV1 | undefined,
  value: unknown,
): Promise<unknown> {
  return isDtoSchema(schema) ? await schema.dataOf(value) : value;
}

/** A parsed value from its stored form, without parsing again.
 *  @param input what it was parsed from */
export async function fromStoredForm(
  schema: StandardSchemaV1 | undefined,
  stored: unknown,
  input: () => unknown,
): Promise<unknown> {
  return isDtoSchema(schema) ? await schema.restore(stored, input()) : stored;
}
