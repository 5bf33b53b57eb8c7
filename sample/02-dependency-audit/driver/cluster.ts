import { AppProcess } from './app-process.js';

const API = new URL('../api/main.ts', import.meta.url);
const WORKER = new URL('../worker/main.ts', import.meta.url);

/** The processes of the app: an API and two workers. */
export class Cluster {
  readonly api: AppProcess;
  readonly workers: [AppProcess, AppProcess];

  constructor(
    private readonly databaseUrl: string,
    private readonly listener: (name: string, message: string) => void,
  ) {
    this.api = new AppProcess('API', API, databaseUrl, listener);
    this.workers = [this.startWorker('worker A'), this.startWorker('worker B')];
  }

  get processes(): AppProcess[] {
    return [this.api, ...this.workers];
  }

  /** The url of the API, once all are up. */
  async ready(): Promise<string> {
    const [{ url }] = await Promise.all(this.processes.map(({ ready }) => ready));
    return url!;
  }

  /** Starts a worker again that was killed, as a supervisor would. */
  restart(killed: AppProcess): AppProcess {
    const again = this.startWorker(killed.name);
    this.workers[this.workers.indexOf(killed)] = again;
    return again;
  }

  async stopWorkers(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.stop()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.processes.map((process) => process.stop()));
  }

  private startWorker(name: string): AppProcess {
    return new AppProcess(name, WORKER, this.databaseUrl, this.listener);
  }
}
