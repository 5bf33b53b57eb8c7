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
      if (reply instanceof Promise) void time(args[0], reply);
      return reply;
    };
  }
}

export const roundTrips = (): number => sent;

/** Times, in ms, of the statements since the last question that call a function with this in its name. The first question only
 *  begins to take them. */
export function timesOf(part: string): number[] {
  const taken = times.get(part) ?? [];
  times.set(part, []);
  return taken;
}

async function time(statement: unknown, reply: Promise<unknown>): Promise<void> {
  if (times.size === 0) return;
  const text = typeof statement === 'string' ? statement : (statement as { text?: string }).text;
  const called = /(\w+)\(/.exec(text ?? '')?.[1] ?? '';
  const began = now();
  await reply.catch(() => undefined); // it is the caller's
  for (const [part, taken] of times) if (called.includes(part)) taken.push(now() - began);
}
