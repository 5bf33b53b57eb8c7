import { parseDuration } from '../common/duration.js';
import { OptionReader } from '../common/option-reader.js';
import { shown } from '../common/shown.js';
import type { RetentionOptions } from '../interfaces/retention-options.js';

const defaults = { completed: '7d', failed: '30d' } as const satisfies RetentionOptions;

/** For how many milliseconds what has ended is kept; undefined: for ever. */
export interface RetentionPolicy {
  completedMs?: number;
  failedMs?: number;
}

/** The policy of a task: each setting comes from `options`, else from `fallback`, else it is 7 days, or 30 for what failed. */
export function retentionPolicy(
  options: RetentionOptions | undefined,
  fallback: RetentionOptions | undefined,
): RetentionPolicy {
  const keptMs = (kind: keyof RetentionOptions) =>
    // `false` is no duration
    parseDuration(options?.[kind] ?? fallback?.[kind] ?? defaults[kind]);
  return { completedMs: keptMs('completed'), failedMs: keptMs('failed') };
}

/** Everything that is wrong with retention options of unknown make, each a sentence that begins with the option's place. */
export function retentionOptionProblems(options: unknown, where: string): string[] {
  const problems: string[] = [];
  const retention = OptionReader.open(options, where, problems);
  retention?.onlyKnown(['completed', 'failed']);
  for (const kind of ['completed', 'failed']) checkKept(retention, kind);
  return problems;
}

function checkKept(retention: OptionReader | undefined, kind: string): void {
  const kept = retention?.given[kind];
  if (kept === undefined || kept === false) return;
  if (typeof kept === 'number' || typeof kept === 'string') retention!.duration(kind, '0ms');
  else
    retention!.fail(
      kind,
      `must be a duration such as "7d", or false to keep for ever, and is ${shown(kept)}`,
    );
}
