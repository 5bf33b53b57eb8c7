import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const STOP_WITHIN_MS = 5_000;
const LAST_LINES = 20;

export type ProcessState = 'starting' | 'running' | 'frozen' | 'killed' | 'stopped' | 'ended';

/** One Nest process of the sample: a child that ends when this process does, since its IPC channel closes then. */
export class AppProcess {
  state: ProcessState = 'starting';
  /** What it tells once it is up. */
  readonly ready: Promise<{ url?: string }>;
  private readonly child: ChildProcess;
  private readonly exit: Promise<unknown>;
  private readonly said: string[] = [];

  constructor(
    readonly name: string,
    file: URL,
    databaseUrl: string,
    /** Gets what it logs: warnings and errors. */
    listener: (name: string, message: string) => void,
  ) {
    // forked with the options of this process, which make Node read TypeScript
    this.child = fork(file, {
      env: { ...process.env, DATABASE_URL: databaseUrl },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const input of [this.child.stdout!, this.child.stderr!]) {
      createInterface({ input }).on('line', (line) => {
        const message = messageOf(line);
        this.said.push(message);
        listener(name, message);
      });
    }
    this.exit = new Promise((resolve) => this.child.once('close', resolve));
    void this.exit.then(() => {
      if (this.state !== 'killed' && this.state !== 'stopped') this.state = 'ended';
    });
    this.ready = this.untilReady();
    this.ready.catch(() => undefined); // whoever waits for it hears of it
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** @throws if it ended by itself, with the last that it said */
  assertAlive(): void {
    if (this.state === 'ended') throw this.failure('ended by itself');
  }

  async kill(): Promise<void> {
    this.state = 'killed';
    this.child.kill('SIGKILL');
    await this.exit;
  }

  /** Holds it still for some seconds, as the pause of a virtual machine would. A shell wakes it, so that it can end even if
   *  this process is gone by then. */
  freeze(seconds: number): void {
    const script = 'sleep "$1"; kill -CONT "$0"';
    const shell = spawn('sh', ['-c', script, String(this.pid), String(seconds)], {
      detached: true, // Ctrl-C is not for it
      stdio: 'ignore',
    });
    shell.once('exit', () => {
      if (this.state === 'frozen') this.state = 'running';
    });
    shell.unref();
    this.state = 'frozen';
    this.child.kill('SIGSTOP');
  }

  /** Lets it finish what it does, within bounds. */
  async stop(): Promise<void> {
    const signal = this.state === 'frozen' ? 'SIGKILL' : 'SIGTERM';
    if (this.state !== 'killed') this.state = 'stopped';
    this.child.kill(signal);
    const impatience = setTimeout(() => this.child.kill('SIGKILL'), STOP_WITHIN_MS);
    await this.exit;
    clearTimeout(impatience);
  }

  private async untilReady(): Promise<{ url?: string }> {
    const message = once(this.child, 'message') as Promise<[{ url?: string }]>;
    const first = await Promise.race([message, this.exit.then(() => undefined)]);
    if (first === undefined) throw this.failure('did not come up');
    if (this.state === 'starting') this.state = 'running';
    return first[0];
  }

  private failure(what: string): Error {
    return new Error(
      `The process "${this.name}" ${what}.\n${this.said.slice(-LAST_LINES).join('\n')}`,
    );
  }
}

/** Nest's logger writes JSON there; what Node itself writes is not. */
function messageOf(line: string): string {
  try {
    const { message, stack } = JSON.parse(line) as { message: unknown; stack?: unknown };
    return [message, stack].filter(Boolean).join('\n');
  } catch {
    return line;
  }
}
