import { LONGEST_TIMEOUT } from '../common/duration.js';
import type { OptionReader } from '../common/option-reader.js';
import { retryOptionProblems } from './retry-policy.js';

export const stepOptionNames = ['retry', 'timeout'] as const;

/** Notes what is wrong with the options that `ctx.step` and `@Step` share. */
export function checkStepOptions(reader: OptionReader): void {
  const { retry } = reader.given;
  if (retry !== undefined) reader.problems.push(...retryOptionProblems(retry, reader.at('retry')));
  reader.duration('timeout', '1ms', LONGEST_TIMEOUT);
}
