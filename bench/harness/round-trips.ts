import { createRequire } from 'node:module';
import type pg from 'pg';

let sent = 0;

/** Counts the statements that this process sends through any copy of `pg`: exact, and on any server, where Postgres's own statistics
 *  come late and need an extension. Patched before a subject is loaded. */
export function countRoundTrips(): void {
  const copies = new Set(
    [import.meta.url, import.meta.resolve('nest-conductor')].map(
      (from) => createRequire(from)('pg') as typeof pg,
    ),
  );
  for (const { Client } of copies) {
    const prototype = Client.prototype as unknown as Record<
      'query',
      (...args: unknown[]) => unknown
    >;
    const { query } = prototype;
    prototype.query = function (...args) {
      sent += 1;
      return query.apply(this, args);
    };
  }
}

export const roundTrips = (): number => sent;
