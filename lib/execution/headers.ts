/** Of all headers of an execution together, as JSON. Every claim brings them along. */
export const MAX_HEADERS_BYTES = 8 * 1024;

/** What goes along with an execution beside its payload. */
export type Headers = Readonly<Record<string, string>>;

const none: Headers = Object.freeze({});

/** @param stored as the driver gives `json`, or the text of it */
export function headersOf(stored: unknown): Headers {
  if (stored === undefined || stored === null) return none;
  const parsed: unknown = typeof stored === 'string' ? JSON.parse(stored) : stored;
  return Object.freeze(parsed as Record<string, string>);
}
