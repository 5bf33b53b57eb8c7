import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { firstColumn, kindOf, MessageReader, statementText, type Message } from './wire.js';

/** What the way does to everything on it.
 *  - `delay`: each direction takes so long.
 *  - `blackhole`: what is sent vanishes. A connection that has lost something stays dead when the mode is over, as behind a
 *    router that forgot it: neither end is told. */
export type Mode =
  | { type: 'pass' }
  | { type: 'delay'; ms: number }
  | { type: 'blackhole'; direction: 'both' | 'toServer' | 'toClient' };

/** A statement that is on its way to the server. */
export interface Request {
  /** The engine's function, such as `claim`. */
  kind: string;
  proxy: Proxy;
}

/** What is done to a single statement.
 *  - `hold`: it never gets to the server.
 *  - `cutBeforeReply`: the server carries it out and commits, and the connection is cut in place of the reply. */
export type Verdict = 'pass' | 'hold' | 'cutBeforeReply';

/** A reply that was swallowed, once its statement was committed or refused. */
export interface CutReply {
  kind: string;
  /** Milliseconds since 1970. */
  at: number;
  proxy: Proxy;
  committed: boolean;
  /** First columns of the rows that nobody got. */
  rows: (string | undefined)[];
}

export interface ProxyHooks {
  /** What it begins with. Default: `pass`. */
  mode?: Mode;
  judge?: (request: Request) => Verdict;
  /** After the connection was cut. */
  cut?: (reply: CutReply) => void;
}

/** The way from one process to Postgres, on which anything may happen. */
export class Proxy {
  mode: Mode;
  private readonly server: Server;
  private readonly open = new Set<Connection>();

  /** It listens when this returns. */
  constructor(
    private readonly upstream: string,
    private readonly hooks: ProxyHooks = {},
  ) {
    this.mode = hooks.mode ?? { type: 'pass' };
    this.server = createServer((client) => {
      if (!/^(::1|(::ffff:)?127\.)/.test(client.remoteAddress ?? '')) return client.destroy();
      const { hostname, port } = new URL(this.upstream);
      const server = connect({ host: hostname, port: Number(port || 5432) });
      const connection = new Connection(this, client, server, this.hooks);
      this.open.add(connection);
      void connection.over.then(() => this.open.delete(connection));
    });
    this.server.listen(0); // without a host, for only then the port is known at once
  }

  /** Where a process connects to. */
  get url(): string {
    const url = new URL(this.upstream);
    url.hostname = '127.0.0.1';
    url.port = String((this.server.address() as AddressInfo).port);
    return url.href;
  }

  /** Connections that have lost something and are still open at the client's end. */
  get halfOpen(): number {
    return [...this.open].filter(({ lossy }) => lossy).length;
  }

  /** Breaks every connection, in a way that both ends notice. */
  reset(): void {
    for (const connection of this.open) connection.cut();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.reset();
    await closed;
  }
}

interface Pending {
  kind: string;
  cut: boolean;
  rows: (string | undefined)[];
  refused: boolean;
}

class Connection {
  readonly over: Promise<void>;
  lossy = false;
  private readonly toServer: Direction;
  private readonly toClient: Direction;
  private kind = 'nothing';
  /** Messages of a statement that is not complete: Postgres would begin to carry it out. */
  private begun: Buffer[] = [];
  private pending?: Pending;

  constructor(
    private readonly proxy: Proxy,
    private readonly client: Socket,
    private readonly server: Socket,
    private readonly hooks: ProxyHooks,
  ) {
    this.toServer = new Direction(server);
    this.toClient = new Direction(client);
    const requests = new MessageReader(true);
    const replies = new MessageReader(false);
    client.on('data', (chunk) => {
      for (const message of requests.read(chunk)) this.requested(message);
    });
    server.on('data', (chunk) => {
      for (const message of replies.read(chunk)) this.replied(message);
    });
    client.setNoDelay(true);
    server.setNoDelay(true);
    for (const socket of [client, server]) socket.on('error', () => undefined); // 'close' follows
    this.over = new Promise((resolve) => client.once('close', () => resolve()));
    // what a dying process has sent still gets there
    void this.over.then(() => this.toServer.end(this.lossy));
    server.once('close', () => this.lossy || this.toClient.end(false));
  }

  /** Both ends learn of it. */
  cut(): void {
    this.client.resetAndDestroy();
    this.server.destroy();
  }

  private requested(message: Message): void {
    const { type, bytes } = message;
    if (type === 'P' || type === 'Q') this.kind = kindOf(statementText(message));
    this.begun.push(bytes);
    if ('PBDEC'.includes(type) && type !== '') return;
    if (type === 'S' || type === 'Q') {
      const { kind, proxy } = this;
      const verdict = this.hooks.judge?.({ kind, proxy }) ?? 'pass';
      this.pending = { kind, cut: verdict === 'cutBeforeReply', rows: [], refused: false };
      if (verdict === 'hold') this.lossy = true;
    }
    this.send(this.toServer, Buffer.concat(this.begun.splice(0)), 'toServer');
  }

  private replied(message: Message): void {
    const { pending } = this;
    if (!pending?.cut) return this.send(this.toClient, message.bytes, 'toClient');
    if (message.type === 'D') pending.rows.push(firstColumn(message));
    if (message.type === 'E') pending.refused = true;
    // a statement is committed once the server is ready for the next one, and not yet when it reports it complete
    if (message.type !== 'Z') return;
    const { kind, rows, refused } = pending;
    this.cut();
    this.hooks.cut?.({ kind, rows, committed: !refused, at: Date.now(), proxy: this.proxy });
  }

  private send(way: Direction, bytes: Buffer, direction: 'toServer' | 'toClient'): void {
    const { mode } = this.proxy;
    if (mode.type === 'blackhole' && [direction, 'both'].includes(mode.direction))
      this.lossy = true;
    // one direction that has lost something makes what follows in either of them meaningless
    if (this.lossy) return;
    way.write(bytes, mode.type === 'delay' ? mode.ms : 0);
  }
}

/** Bytes in their order, each after its delay. */
class Direction {
  private last?: Promise<void>;

  constructor(private readonly socket: Socket) {}

  write(bytes: Buffer, delayMs: number): void {
    this.after(delayMs, () => void this.socket.write(bytes));
  }

  end(now: boolean): void {
    if (now) this.socket.destroy();
    else this.after(0, () => void this.socket.end());
  }

  private after(delayMs: number, act: () => void): void {
    if (delayMs === 0 && this.last === undefined) return act();
    const due = new Promise<void>((resolve) => setTimeout(resolve, delayMs));
    const turn = Promise.all([this.last, due]).then(() => {
      act();
      if (this.last === turn) this.last = undefined;
    });
    this.last = turn;
  }
}
