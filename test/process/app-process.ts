import { spawn, type ChildProcess } from 'node:child_process';
import { deferred } from '../../lib/common/deferred.js';
import {
  SETTINGS_VARIABLE,
  type AppMessage,
  type AppSettings,
  type Command,
} from './app/settings.js';

type Told<T extends AppMessage['type']> = Extract<AppMessage, { type: T }>;

/** How a process came to its end. */
export interface AppEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** The app of `app/main.ts` in a process of its own. */
export class AppProcess {
  /** Rejects when it did not end by itself within a bound that only ends a test that has failed. */
  readonly ended: Promise<AppEnd>;
  hasEnded = false;
  /** Everything that it told. */
  readonly told: AppMessage[] = [];
  /** Where its HTTP answers, once it is up. */
  url = '';
  private said = '';
  private readonly child: ChildProcess;
  private changed = deferred<void>();

  constructor(main: string, settings: AppSettings) {
    this.child = spawn(process.execPath, [main], {
      // without the options of jest
      env: { ...process.env, NODE_OPTIONS: '', [SETTINGS_VARIABLE]: JSON.stringify(settings) },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    for (const output of [this.child.stdout!, this.child.stderr!])
      output.on('data', (text: Buffer) => (this.said += text.toString()));
    this.child.on('message', (message: AppMessage) => {
      this.told.push(message);
      if (message.type === 'up') this.url = message.url;
      this.change();
    });
    this.ended = new Promise((resolve) =>
      this.child.once('close', (code, signal) => {
        this.hasEnded = true;
        this.change();
        resolve({ code, signal });
      }),
    );
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** What it has told of this type so far. */
  all<T extends AppMessage['type']>(type: T): Told<T>[] {
    return this.told.filter((message): message is Told<T> => message.type === type);
  }

  /** Resolves when it has told this so often. @throws when it ends before that, with what it logged */
  async tells<T extends AppMessage['type']>(
    type: T,
    times = 1,
    which: (message: Told<T>) => boolean = () => true,
  ): Promise<Told<T>[]> {
    for (;;) {
      const found = this.all(type).filter(which);
      if (found.length >= times) return found;
      if (this.hasEnded) throw new Error(`It ended before it told "${type}".\n${this.said}`);
      await this.changed.promise;
    }
  }

  send(command: Command): void {
    this.child.send(command);
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** For the end of a test, whatever state it is in. */
  async close(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }

  private change(): void {
    this.changed.resolve();
    this.changed = deferred();
  }
}
