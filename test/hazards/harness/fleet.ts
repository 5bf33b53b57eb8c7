import type { WorkerSettings } from '../worker/settings.js';
import { Proxy, type ProxyHooks } from './proxy.js';
import { WorkerProcess, type ProcessEnd } from './worker-process.js';

export interface FleetSize {
  workers: number;
  /** Processes that are up and do not serve: a replacement serves at once, however long a boot takes. */
  spares: number;
}

export interface FleetWays {
  /** Each process then has a way of its own to the engine's database. */
  network?: ProxyHooks;
  /** Options of Node, for every process. */
  nodeOptions?: string[];
}

/** The worker processes of a run. */
export class Fleet {
  /** Those that serve, or are about to, in their places: a replacement takes the place of the one it replaces. */
  readonly workers: WorkerProcess[];
  private readonly spares: WorkerProcess[];
  private readonly all: WorkerProcess[] = [];
  private starts: Promise<void>[];

  constructor(
    size: FleetSize,
    /** The file to run. */
    private readonly main: string,
    private readonly settings: WorkerSettings,
    private readonly ways: FleetWays = {},
  ) {
    this.workers = Array.from({ length: size.workers }, () => this.boot());
    this.spares = Array.from({ length: size.spares }, () => this.boot());
    this.starts = this.workers.map((worker) => this.start(worker));
  }

  /** Resolves when every place is served, and every spare is up. */
  async ready(): Promise<void> {
    await Promise.all([...this.starts, ...this.spares.map((spare) => spare.booted())]);
  }

  get serving(): WorkerProcess[] {
    return this.workers.filter(({ state }) => state === 'serving');
  }

  get pids(): number[] {
    return this.workers.map(({ pid }) => pid);
  }

  /** As a supervisor would, at once. */
  replace(worker: WorkerProcess): void {
    const place = this.workers.indexOf(worker);
    this.spares.push(this.boot());
    const replacement = this.spares.shift()!;
    this.workers[place] = replacement;
    this.starts[place] = this.start(replacement);
  }

  async shutDown(): Promise<void> {
    await Promise.all(this.all.map((worker) => worker.shutDown()));
  }

  /** For a run that is given up. */
  async killAll(): Promise<void> {
    await Promise.all(this.all.map((worker) => worker.kill()));
  }

  /** Of a fleet that is gone. */
  async closeNetwork(): Promise<void> {
    await Promise.all(this.all.map(async ({ proxy }) => await proxy?.close()));
  }

  /** The process that comes this way. */
  at(proxy: Proxy): WorkerProcess {
    return this.all.find((worker) => worker.proxy === proxy)!;
  }

  /** How each process ended. Of a fleet that was shut down. */
  ends(): Promise<ProcessEnd[]> {
    return Promise.all(this.all.map(({ ended }) => ended));
  }

  get rejections(): string[] {
    return this.all.flatMap((worker) =>
      worker.rejections.map((error) => `pid ${worker.pid}: ${error}`),
    );
  }

  private boot(): WorkerProcess {
    const { network, nodeOptions } = this.ways;
    const { engineUrl } = this.settings;
    const proxy = network && new Proxy(engineUrl, network);
    const settings = { ...this.settings, engineUrl: proxy?.url ?? engineUrl };
    const worker = new WorkerProcess(this.main, settings, proxy, nodeOptions);
    this.all.push(worker);
    return worker;
  }

  private start(worker: WorkerProcess): Promise<void> {
    const start = worker.serve();
    start.catch(() => undefined); // ready() tells; it may have been killed on the way and replaced
    return start;
  }
}
