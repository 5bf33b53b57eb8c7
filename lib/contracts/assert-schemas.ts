import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidTaskError } from '../errors/invalid-task.error.js';
import { isDtoSchema } from './dto-schema.js';

export interface CheckedTask {
  source: string;
  payload?: StandardSchemaV1;
  returns?: StandardSchemaV1;
}

/** What `defineTask` could not see, because the packages that DTOs need are loaded later; at boot.
 *  @throws InvalidTaskError that lists the DTOs that check nothing
 *  @throws MissingPackageError */
export async function assertSchemas(tasks: readonly CheckedTask[]): Promise<void> {
  const faults: { source: string; problem: string }[] = [];
  for (const { source, payload, returns } of tasks) {
    for (const schema of [payload, returns]) {
      const problem = isDtoSchema(schema) ? await schema.problem() : undefined;
      if (problem !== undefined) faults.push({ source, problem });
    }
  }
  if (faults.length === 0) return;
  const sources = [...new Set(faults.map(({ source }) => source))];
  throw new InvalidTaskError(
    sources.join(', '),
    faults.map(({ source, problem }) => (sources.length === 1 ? problem : `${source}: ${problem}`)),
  );
}
