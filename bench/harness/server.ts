import { readdirSync, readFileSync } from 'node:fs';
import { startPostgres, type RunningPostgres } from 'nest-conductor/embedded';
import { Probe } from './probe.js';

/** Ticks of a second in /proc/PID/stat; 100 on every Linux that Node runs on. */
const TICKS = 100;

/** Whatever is not named here is Postgres's own default. */
const SETTINGS = {
  max_connections: '200', // three workers with their pools, beside those of peers
};

const SHOWN = [
  'server_version',
  'fsync',
  'synchronous_commit',
  'full_page_writes',
  'wal_sync_method',
  'wal_level',
  'shared_buffers',
  'max_wal_size',
  'checkpoint_timeout',
  'max_connections',
  'autovacuum',
  'jit',
];

/** How much Postgres has done so far, all databases together. */
export interface Counters {
  walBytes: number;
  /** CPU time of the server and all its backends, ended ones too. Known for an embedded server on Linux. */
  cpuMs?: number;
}

/** The Postgres that everything runs against. */
export class Server {
  private databases = 0;

  private constructor(
    private readonly postgres: RunningPostgres,
    readonly probe: Probe,
    /** Major. */
    private readonly version: number,
  ) {}

  static async start(): Promise<Server> {
    const postgres = await startPostgres({
      fsync: true,
      settings: SETTINGS,
      log: (line) => process.stderr.write(`${line}\n`),
    });
    const probe = await Probe.open(postgres.url);
    const version = await probe.ask<string>('show server_version_num');
    return new Server(postgres, probe, Math.floor(Number(version) / 10_000));
  }

  async stop(): Promise<void> {
    await this.probe.close();
    await this.postgres.stop();
  }

  /** A fresh database, or a copy of another one, dropped afterwards. */
  async withDatabase<T>(work: (url: string) => Promise<T>, template?: string): Promise<T> {
    const name = await this.createDatabase(template);
    try {
      return await work(this.urlOf(name));
    } finally {
      await this.dropDatabase(name);
    }
  }

  async createDatabase(template?: string): Promise<string> {
    this.databases += 1;
    const name = `bench_${process.pid}_${this.databases}`;
    // files are copied as files: through the log, which newer versions prefer, a big one would take minutes
    const copied = template === undefined ? '' : ` template ${template}`;
    const byFile = template !== undefined && this.version >= 15 ? ' strategy file_copy' : '';
    await this.probe.rows(`create database ${name}${copied}${byFile}`);
    return name;
  }

  async dropDatabase(name: string): Promise<void> {
    await this.probe.rows(`drop database ${name} with (force)`);
  }

  urlOf(database: string): string {
    const url = new URL(this.postgres.url);
    url.pathname = `/${database}`;
    return url.href;
  }

  /** What the rounds before have left to be written is written now and not while something is measured, and the WAL of the first
   *  change to each page after it belongs to nobody's figures. */
  async checkpoint(): Promise<void> {
    await this.probe.rows('checkpoint');
  }

  async counters(): Promise<Counters> {
    const walBytes = await this.probe.ask<number>(
      `select (pg_current_wal_insert_lsn() - '0/0')::double precision`,
    );
    return { walBytes, cpuMs: this.cpuMs() };
  }

  async settings(): Promise<Record<string, string>> {
    const rows = await this.probe.rows<{ name: string; shown: string }>(
      'select name, current_setting(name) as shown from pg_settings where name = any($1) order by 1',
      [SHOWN],
    );
    return Object.fromEntries(rows.map(({ name, shown }) => [name, shown]));
  }

  get source(): string {
    return this.postgres.source;
  }

  private cpuMs(): number | undefined {
    const { pid } = this.postgres;
    if (pid === undefined || process.platform !== 'linux') return undefined;
    let ticks = 0;
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const stat = procStat(entry);
      if (stat === undefined) continue;
      if (Number(entry) === pid) ticks += stat.own + stat.ofEndedChildren;
      else if (stat.parent === pid) ticks += stat.own;
    }
    return (ticks * 1_000) / TICKS;
  }
}

function procStat(
  pid: string,
): { parent: number; own: number; ofEndedChildren: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // the second field is the name in brackets, which may have blanks; the first one after it is the third
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [own, ended] = [
      Number(fields[11]) + Number(fields[12]),
      Number(fields[13]) + Number(fields[14]),
    ];
    return { parent: Number(fields[1]), own, ofEndedChildren: ended };
  } catch {
    return undefined; // it has ended meanwhile
  }
}
