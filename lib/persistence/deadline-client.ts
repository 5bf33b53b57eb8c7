import pg from 'pg';
import { systemClock } from '../common/clock.js';

/** Longer than the server's own statement_timeout, so that it fires only when the server no longer answers. */
const QUERY_DEADLINE_MS = 15_000;

type Callback = (error: Error | undefined, result?: unknown) => void;

/** A connection none of whose queries can wait for ever. A driver does not notice a half-open socket by itself; past the
 *  deadline the socket is destroyed, which fails the query as a lost connection and takes the client out of its pool.
 *  It sits in the pool, so it guards what TypeORM sends as well as our own statements. */
export class DeadlineClient extends pg.Client {
  override query = ((...args: unknown[]): unknown => {
    const timer = systemClock.startTimer(QUERY_DEADLINE_MS, () => this.destroySocket());
    const done = () => systemClock.stopTimer(timer);
    const last = args.at(-1);
    const send = pg.Client.prototype.query as (...args: unknown[]) => unknown;
    if (typeof last === 'function') {
      const callback: Callback = (error, result) => {
        done();
        (last as Callback)(error, result);
      };
      return send.apply(this, [...args.slice(0, -1), callback]);
    }
    const sent = send.apply(this, args);
    if (sent instanceof Promise) {
      sent.then(done, done);
    } else {
      done();
    }
    return sent;
  }) as pg.Client['query'];

  private destroySocket(): void {
    const { stream } = (
      this as unknown as { connection: { stream: { destroy(error?: Error): void } } }
    ).connection;
    stream.destroy(new Error(`No reply from Postgres within ${QUERY_DEADLINE_MS} ms`));
  }
}
