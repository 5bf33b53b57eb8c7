import { fork, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';

const STOP_WITHIN_MS = 5_000;

export type ProcessState = 'starting' | 'running' | 'frozen' | 'killed' | 'stopped' | 'ended';

/** One Nest process of the sample: a child that ends when this process does, since its IPC channel closes then. */
export class AppProcess {
  state: ProcessState = 'starting';
  /** What it says of itself once it is up. */
  readonly ready: Promise<{ url?: string }>;
  private readonly child: ChildProcess;
  private readonly exit: Promise<unknown>;
  private output = '';

  constructor(
    readonly name: string,
    file: URL,
    databaseUrl: string,
  ) {
    // forked with the options of this process, which make Node read TypeScript
    this.child = fork(file, {
      env: { ...process.env, DATABASE_URL: databaseUrl },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const stream of [this.child.stdout!, this.child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.output += text));
    }
    this.exit = new Promise((resolve) => this.child.once('exit', resolve));
    void this.exit.then(() => {
      if (this.state !== 'killed' && this.state !== 'stopped') this.state = 'ended';
    });
    this.ready = this.untilReady();
    this.ready.catch(() => undefined); // whoever waits for it hears of it
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** What it logged: warnings and errors. */
  get log(): string[] {
    return this.output.split('\n').filter((line) => line.trim() !== '');
  }

  /** @throws if it ended by itself, with the last that it said */
  assertAlive(): void {
    if (this.state !== 'ended') return;
    throw new Error(`The ${this.name} ended by itself.\n${this.log.slice(-20).join('\n')}`);
  }

  async kill(): Promise<void> {
    this.state = 'killed';
    this.child.kill('SIGKILL');
    await this.exit;
  }

  /** Holds the process still, as the pause of a virtual machine would. A shell does it, so that the process wakes, and can
   *  end, even if this one is gone by then. Resolves when it runs again. */
  async freeze(seconds: number): Promise<void> {
    this.state = 'frozen';
    const script = 'kill -STOP "$0" && sleep "$1" && kill -CONT "$0"';
    const shell = spawn('sh', ['-c', script, String(this.pid), String(seconds)], {
      detached: true,
      stdio: 'ignore',
    });
    const [code] = (await once(shell, 'exit')) as [number | null];
    if (this.state !== 'frozen') return; // the sample ends
    if (code !== 0) throw new Error(`The ${this.name} could not be frozen: sh ended with ${code}.`);
    this.state = 'running';
  }

  /** Lets it finish what it does, within bounds. */
  async stop(): Promise<void> {
    const wasFrozen = this.state === 'frozen';
    if (this.state !== 'killed') this.state = 'stopped';
    this.child.kill(wasFrozen ? 'SIGKILL' : 'SIGTERM');
    const impatience = setTimeout(() => this.child.kill('SIGKILL'), STOP_WITHIN_MS);
    await this.exit;
    clearTimeout(impatience);
  }

  private async untilReady(): Promise<{ url?: string }> {
    const message = once(this.child, 'message') as Promise<[{ url?: string }]>;
    const first = await Promise.race([message, this.exit.then(() => undefined)]);
    if (first === undefined) {
      throw new Error(`The ${this.name} did not come up.\n${this.log.slice(-20).join('\n')}`);
    }
    if (this.state === 'starting') this.state = 'running';
    return first[0];
  }
}
