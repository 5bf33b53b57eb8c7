import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { deferred } from '../../../lib/common/deferred.js';
import { BOOT, SETTINGS_VARIABLE, type ProcessMessage, type ProcessSettings } from './settings.js';

/** An app in a process of its own, whose sessions are known by its name. */
export class AppProcess {
  private readonly child: ChildProcess;
  private readonly loadedSignal = deferred<void>();
  private readonly upSignal = deferred<void>();
  private readonly ended: Promise<unknown>;

  constructor(
    main: string,
    readonly name: string,
    { url, ...settings }: ProcessSettings,
  ) {
    const named = new URL(url);
    named.searchParams.set('application_name', name);
    this.child = spawn(process.execPath, [main], {
      // without the options of whoever runs us, such as jest's
      env: {
        ...process.env,
        NODE_OPTIONS: '',
        [SETTINGS_VARIABLE]: JSON.stringify({ ...settings, url: named.href }),
      },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.ended = once(this.child, 'exit');
    this.upSignal.promise.catch(() => undefined); // of one that is killed nobody asks
    this.child.on('message', (message: ProcessMessage) => {
      if (message.type === 'loaded') this.loadedSignal.resolve();
      else if (message.type === 'up') this.upSignal.resolve();
      else this.upSignal.reject(new Error(`${name} was refused: ${message.message}`));
    });
  }

  /** Resolves when its code is loaded and nothing has been done yet. */
  get loaded(): Promise<void> {
    return this.loadedSignal.promise;
  }

  get up(): Promise<void> {
    return this.upSignal.promise;
  }

  boot(): void {
    this.child.send(BOOT);
  }

  /** Resolves when it is gone, with its sockets. */
  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
