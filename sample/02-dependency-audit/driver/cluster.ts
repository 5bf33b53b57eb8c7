import { AppProcess } from './app-process.js';

const API = new URL('../api/main.ts', import.meta.url);
const WORKER = new URL('../worker/main.ts', import.meta.url);

/** The processes of the app: one API and two workers. */
export class Cluster {
  readonly api: AppProcess;
  readonly workers: AppProcess[];
  /** Those that were replaced. */
  private readonly gone: AppProcess[] = [];

  constructor(private readonly databaseUrl: string) {
    this.api = new AppProcess('API', API, databaseUrl);
    this.workers = [1, 2].map((number) => this.startWorker(number));
  }

  get processes(): AppProcess[] {
    return [this.api, ...this.workers];
  }

  /** The url of the API, once all are up. */
  async ready(): Promise<string> {
    const [{ url }] = await Promise.all([
      this.api.ready,
      ...this.workers.map(({ ready }) => ready),
    ]);
    return url!;
  }

  /** Starts a killed worker again, as a supervisor would. */
  restart(worker: AppProcess): AppProcess {
    const index = this.workers.indexOf(worker);
    const again = this.startWorker(index + 1);
    this.gone.push(worker);
    this.workers[index] = again;
    return again;
  }

  async stopWorkers(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop()));
  }

  async stop(): Promise<void> {
    await Promise.all([...this.processes, ...this.gone].map((child) => child.stop()));
  }

  private startWorker(number: number): AppProcess {
    return new AppProcess(`worker ${number}`, WORKER, this.databaseUrl);
  }
}
