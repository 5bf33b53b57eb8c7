import type { StandardSchemaV1 } from '@standard-schema/spec';

/** One thing that is wrong with a value, and where: `items[3].name`, or `''` for the value as a whole. */
export interface ParseIssue {
  path: string;
  message: string;
}

export type Parsed = { value: unknown; issues?: undefined } | { issues: ParseIssue[] };

/** Without a schema every value passes as it is. Rejects only when the schema itself throws. */
export async function parseWith(
  schema: StandardSchemaV1 | undefined,
  value: unknown,
): Promise<Parsed> {
  if (schema === undefined) return { value };
  const result = await schema['~standard'].validate(value);
  if (!result.issues) return { value: result.value };
  return {
    issues: result.issues.map((issue) => ({
      path: renderPath(issue.path ?? []),
      message: issue.message,
    })),
  };
}

function renderPath(path: NonNullable<StandardSchemaV1.Issue['path']>): string {
  let rendered = '';
  for (const segment of path) {
    const key = typeof segment === 'object' ? segment.key : segment;
    if (typeof key === 'string' && /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(key)) {
      rendered += rendered === '' ? key : `.${key}`;
    } else {
      rendered += `[${typeof key === 'string' ? JSON.stringify(key) : String(key)}]`;
    }
  }
  return rendered;
}
