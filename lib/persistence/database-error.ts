import { DatabaseError } from '../errors/database.error.js';

/** What a failed statement means for whoever sent it.
 *  - `retry`: it was not applied.
 *  - `ambiguous`: the connection broke after it was sent; it may have been applied. Send the very same again.
 *  - `item`: this content is at fault; retrying cannot help, other items of the batch are innocent.
 *  - `worker`: this process cannot work with this database (rights, missing objects, wrong password). */
export type FailureClass = 'retry' | 'ambiguous' | 'item' | 'worker';

/** Whether what failed may succeed when it is sent again. */
export function isTransientClass(kind: FailureClass): boolean {
  return kind === 'retry' || kind === 'ambiguous';
}

const notApplied = new Set([
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '55P03', // lock_not_available
  '57014', // query_canceled
  '57P03', // cannot_connect_now
  '53300', // too_many_connections
  '25006', // read_only_sql_transaction: a standby that is being promoted
]);

/** Errors of a socket that never got as far as sending. */
const notConnected = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

export function classify(error: unknown): FailureClass {
  const code = codeOf(error);
  if (code === undefined) {
    const message = error instanceof Error ? error.message : '';
    // pg reports these two without a code; neither has sent anything yet
    if (
      /timeout exceeded when trying to connect|terminated due to connection timeout/.test(message)
    )
      return 'retry';
    return 'ambiguous';
  }
  if (notApplied.has(code) || notConnected.has(code)) return 'retry';
  if (/^(22|23)/.test(code)) return 'item';
  if (/^(28|42|3D|3F)/.test(code)) return 'worker';
  if (/^(08|57P|XX|58|53)/.test(code) || /^E[A-Z]+$/.test(code)) return 'ambiguous';
  // Node's own, of TLS and streams: the connection's; and these two of Postgres'
  if (!/^[0-9A-Z]{5}$/.test(code) || code === '40003' || code === '25P03') return 'ambiguous';
  return 'item';
}

export function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** Payloads and keys stand in a driver error's detail, context and parameters: only message and code are passed on. Those of
 *  class 22 (data exceptions) quote the value in the message as well: `invalid input syntax for type integer: "…"`. */
export function withoutValues(error: unknown): DatabaseError {
  const code = codeOf(error);
  const message = error instanceof Error ? error.message : String(error);
  // from the first quote to the last: Postgres does not escape those within the value
  return new DatabaseError(
    code,
    code?.startsWith('22') ? message.replace(/".*"/s, '"…"') : message,
  );
}
