/** ISO 8601 in UTC with milliseconds; undefined for an invalid Date. */
export function isoText(date: Date): string | undefined {
  // not by the value's own methods, which anybody could have replaced
  return Number.isNaN(Date.prototype.getTime.call(date))
    ? undefined
    : Date.prototype.toISOString.call(date);
}

/** @throws RangeError if the text is not a date */
export function dateOf(text: string): Date {
  const date = new Date(text);
  if (isoText(date) === undefined) throw new RangeError(`${JSON.stringify(text)} is not a date`);
  return date;
}
