import { createRequire } from 'node:module';
import type pg from 'pg';
import { now } from './now.js';

let sent = 0;
const times = new Map<string, number[]>();

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
      const reply = query.apply(this, args);
      if (reply instanceof Promise) time(args[0], reply);
      return reply;
    };
  }
}

export const roundTrips = (): number => sent;

/** Times of the statements that call a function of this name, in ms. The first question begins to take them. */
export function timesOf(name: string): number[] {
  const known = times.get(name);
  times.set(name, []);
  return known ?? [];
}

function time(statement: unknown, reply: Promise<unknown>): void {
  if (times.size === 0) return;
  const text = typeof statement === 'string' ? statement : (statement as { text?: string }).text;
  const taken = times.get(/(\w+)\(/.exec(text ?? '')?.[1] ?? '');
  if (taken === undefined) return;
  const began = now();
  const done = () => void taken.push(now() - began);
  reply.then(done, done);
}
