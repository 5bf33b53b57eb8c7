import pg from 'pg';
import { systemClock } from '../common/clock.js';

/** Longer than the server's own statement_timeout, so that it fires only when the server no longer answers. */
export const QUERY_DEADLINE_MS = 15_000;

export interface DeadlineConfig extends pg.ClientConfig {
  /** How long a query may take. Default: 15 s. */
  deadlineMs?: number;
  /** It is in here from its making to its end. */
  connections?: Set<DeadlineClient>;
}

type Callback = (error: Error | undefined, result?: unknown) => void;

const plainClient = pg.Client.prototype as unknown as { query: (...args: unknown[]) => unknown };

/** A connection none of whose queries can wait for ever. A driver does not notice a half-open socket by itself; past the
 *  deadline the socket is destroyed, which fails the query as a lost connection and takes the client out of its pool.
 *  It sits in the pool, so it guards what TypeORM sends as well as our own statements. */
export class DeadlineClient extends pg.Client {
  private deadlineMs: number;

  constructor(config?: DeadlineConfig) {
    super(config);
    this.deadlineMs = config?.deadlineMs ?? QUERY_DEADLINE_MS;
    // its pool listens only while it is idle in there. When the server ends it between its checkout, its query and its release,
    // nobody would, and the process would end; the pool drops it at the release, and a query on it fails
    this.on('error', () => undefined);
    config?.connections?.add(this);
    this.once('end', () => config?.connections?.delete(this));
  }

  /** Ends it at once, whatever it is doing. */
  cut(): void {
    destroySocket(this, 'The conductor closed its connections');
  }

  /** Meanwhile a query may take this long. */
  async patiently<T>(deadlineMs: number, act: () => Promise<T>): Promise<T> {
    const before = this.deadlineMs;
    this.deadlineMs = deadlineMs;
    try {
      return await act();
    } finally {
      this.deadlineMs = before;
    }
  }

  override query = ((...args: unknown[]): unknown => {
    const timer = systemClock.startTimer(this.deadlineMs, () =>
      destroySocket(this, `No reply from Postgres within ${this.deadlineMs} ms`),
    );
    const disarm = () => systemClock.stopTimer(timer);
    const send = (values: unknown[]) => plainClient.query.apply(this, values);
    const callback = args.at(-1);
    if (typeof callback === 'function') {
      const reply: Callback = (...answer) => {
        disarm();
        Reflect.apply(callback, undefined, answer);
      };
      return send([...args.slice(0, -1), reply]);
    }
    const sent = send(args);
    if (sent instanceof Promise) {
      sent.then(disarm, disarm);
    } else {
      disarm();
    }
    return sent;
  }) as pg.Client['query'];
}

/** What waits on this connection fails, as lost with it. */
export function destroySocket(client: pg.Client, reason: string): void {
  const { stream } = (
    client as unknown as { connection: { stream: { destroy(error?: Error): void } } }
  ).connection;
  stream.destroy(new Error(reason));
}
