import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { deferred } from '../../../lib/common/deferred.js';
import type { FaultPoint } from '../../../lib/conductor.fault-points.js';
import type { Standstill } from '../loads/load-frozen.js';
import type { Proxy } from './proxy.js';
import {
  SERVE,
  SETTINGS_VARIABLE,
  type Block,
  type WorkerMessage,
  type WorkerSettings,
} from '../worker/settings.js';

const SHUT_DOWN_WITHIN_MS = 10_000;
const LAST_LINES = 15;

/** How a process came to its end. */
export interface ProcessEnd {
  pid: number;
  /** Whether we brought it about. */
  expected: boolean;
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The last that it logged. */
  lastWords: string[];
}

/** A worker: a Nest application context in a process of its own, to which anything may be done. */
export class WorkerProcess {
  readonly ended: Promise<ProcessEnd>;
  /** Stacks of the rejections that nobody handled in it. */
  readonly rejections: string[] = [];
  state: 'booting' | 'up' | 'serving' | 'ending' | 'ended' = 'booting';
  /** Where it has stopped itself. */
  readonly standstills: { execution: string; place: Standstill }[] = [];
  /** When the signals of its attempts fired. */
  readonly aborts: { execution: string; at: number }[] = [];
  /** When it last said that it lives, by performance.now(). */
  aliveAt = performance.now();
  /** Fault points that it came to and passed, in their order; told only where faults are set. */
  readonly reached: FaultPoint[] = [];
  private readonly child: ChildProcess;
  private readonly up = deferred<void>();
  private readonly serving = deferred<void>();
  private readonly said: string[] = [];

  constructor(
    main: string,
    settings: WorkerSettings,
    /** Its way to the engine's database, if it has one of its own. */
    readonly proxy?: Proxy,
    nodeOptions: string[] = [],
  ) {
    this.child = spawn(process.execPath, [...nodeOptions, main], {
      // without the options of whoever runs us, such as jest's
      env: { ...process.env, NODE_OPTIONS: '', [SETTINGS_VARIABLE]: JSON.stringify(settings) },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const input of [this.child.stdout!, this.child.stderr!])
      createInterface({ input }).on('line', (line) => this.said.push(line));
    // it ends by itself when our channel closes, unless it is frozen
    const endWithUs = () => this.child.kill('SIGKILL');
    process.once('exit', endWithUs);
    this.ended = new Promise((resolve) => {
      this.child.once('error', (error) => this.said.push(String(error))); // as when it cannot be spawned
      this.child.once('close', (code, signal) => {
        process.removeListener('exit', endWithUs);
        const expected = this.state === 'ending';
        this.state = 'ended';
        const lastWords = this.said.slice(-LAST_LINES);
        resolve({ pid: this.pid, expected, code, signal, lastWords });
      });
    });
    this.child.on('message', (message: WorkerMessage) => this.heard(message));
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** Resolves when it could serve at once. */
  booted(): Promise<void> {
    return this.beforeTheEnd(this.up.promise);
  }

  /** Lets it claim as soon as it is up. Resolves when it does. */
  async serve(): Promise<void> {
    await this.booted();
    if (this.state === 'up') this.child.send(SERVE);
    await this.beforeTheEnd(this.serving.promise);
  }

  /** Resolves when the process is gone, with its sockets. */
  async kill(): Promise<void> {
    if (this.state === 'ended') return;
    this.state = 'ending';
    this.child.kill('SIGKILL');
    await this.ended;
  }

  /** Its event loop does nothing for so long. */
  block(ms: number): void {
    this.child.send({ block: ms } satisfies Block);
  }

  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }

  /** Asks it to finish what it does. If it takes too long it is killed, which counts as an end of its own. */
  async shutDown(): Promise<void> {
    if (this.state === 'ended') return;
    this.state = 'ending';
    this.child.kill('SIGTERM');
    const impatience = setTimeout(() => {
      this.state = 'serving';
      this.said.push(`Did not end within ${SHUT_DOWN_WITHIN_MS} ms of SIGTERM.`);
      this.child.kill('SIGKILL');
    }, SHUT_DOWN_WITHIN_MS);
    await this.ended;
    clearTimeout(impatience);
  }

  private heard(message: WorkerMessage): void {
    if (message.type === 'unhandledRejection') return void this.rejections.push(message.error);
    if (message.type === 'reached') return void this.reached.push(message.point);
    if (message.type === 'frozen') return void this.standstills.push(message);
    if (message.type === 'aborted') return void this.aborts.push(message);
    this.aliveAt = performance.now();
    if (message.type === 'alive') return;
    if (this.state === 'booting' || this.state === 'up') this.state = message.type;
    this[message.type].resolve();
  }

  /** @throws if it ends before, with the last that it logged */
  private async beforeTheEnd(step: Promise<void>): Promise<void> {
    const end = await Promise.race([step, this.ended]);
    if (end !== undefined)
      throw new Error(`A worker ended before it served.\n${end.lastWords.join('\n')}`);
  }
}
