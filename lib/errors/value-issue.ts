/** One thing that is wrong with a value, and where: `items[3].name`, or `''` for the value as a whole. */
export interface ValueIssue {
  path: string;
  message: string;
}

/** The issues as lines of a message. */
export function issueLines(issues: readonly ValueIssue[]): string {
  return issues
    .map(({ path, message }) => `\n  - ${path === '' ? '' : `${path}: `}${message}`)
    .join('');
}
