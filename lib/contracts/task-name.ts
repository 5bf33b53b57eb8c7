const MAX_LENGTH = 200;

/** Why a value cannot name a task, a queue or a step, as the predicate of a sentence; undefined if it can. */
export function nameProblem(value: unknown, maxLength = MAX_LENGTH): string | undefined {
  if (typeof value !== 'string') return `must be a string, not ${kindOf(value)}`;
  if (value === '') return 'must not be empty';
  if (value.length > maxLength) {
    return `must have at most ${maxLength} characters, and has ${value.length}`;
  }
  // Postgres refuses NUL and lone surrogates; other control characters would only garble logs
  if (/[\p{Cc}\p{Cs}]/u.test(value)) {
    return `must not contain control characters or lone surrogates: ${JSON.stringify(value)}`;
  }
  return undefined;
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : typeof value;
}
