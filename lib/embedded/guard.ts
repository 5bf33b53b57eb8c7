import { spawn, type ChildProcess } from 'node:child_process';
import { rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { PostgresStartError } from './errors/postgres-start.error.js';

/** A process to be ended when this one is gone. */
export interface Charge {
  /** Negative: a process group. */
  pid: number;
  /** SIGINT is Postgres's fast shutdown, SIGQUIT its immediate one. */
  signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL';
  /** Is there as long as the server runs. A pid alone does not tell: a dead child of a dead parent may stay a zombie. */
  pidFile?: string;
}

/** Runs in a process of its own, as plain JavaScript in a string: it must work from TypeScript, from dist and from a bundle.
 *  It has no timer and no poll while all is well; the end of its standard input is the end of its parent, however it came. */
const SCRIPT = `
const { existsSync, rmSync } = require('node:fs');
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});
let text = '';
let ended = false;
process.stdin.setEncoding('utf8');
process.stdin.on('data', (part) => { text += part; });
process.stdin.on('error', () => {});
process.stdin.on('end', end);
process.stdin.on('close', end);
function end() {
  if (ended) return;
  ended = true;
  const { charge, deletions } = JSON.parse(text.split('\\n').at(-2) || '{"deletions":[]}');
  const send = (signal) => { try { process.kill(charge.pid, signal); return true; } catch { return false; } };
  const remove = () => {
    for (const directory of deletions) {
      try { rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 }); } catch {}
    }
    process.exit();
  };
  if (!charge || !send(charge.signal) || !charge.pidFile) return remove();
  let waits = 0;
  setInterval(() => {
    waits += 1;
    if (!send(0) || !existsSync(charge.pidFile)) remove();
    if (waits === 500) send('SIGQUIT');
    if (waits === 1000) { send('SIGKILL'); remove(); }
  }, 20);
}
`;

/** Sees to it that nothing outlives this process, even one that was killed with SIGKILL: a small process waits at a pipe,
 *  and when the pipe closes it ends the server and deletes what was not meant to stay. */
export class Guard {
  private charge: Charge | undefined;
  private readonly deletions: string[] = [];
  private readonly process: ChildProcess;

  /** @throws PostgresStartError if no process can be started */
  constructor() {
    this.process = spawn(process.execPath, ['-e', SCRIPT], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true, // Ctrl-C reaches the whole foreground group; this one has to stay until the end
      cwd: '/',
      env: {}, // NODE_OPTIONS with a loader or --inspect would be run here too
    });
    this.process.on('error', () => undefined);
    if (this.process.pid === undefined) {
      throw new PostgresStartError(`the process that guards it cannot run: ${process.execPath}`);
    }
    this.process.unref();
    const pipe = this.process.stdin as Socket;
    pipe.on('error', () => undefined);
    pipe.unref();
  }

  /** Ends this process, instead of an earlier one, when ours is gone. */
  watch(charge: Charge): void {
    this.charge = charge;
    this.tell();
  }

  /** To be called as soon as a watched process has ended: its pid may be given to a stranger. */
  forget(): void {
    this.charge = undefined;
    this.tell();
  }

  deleteAtEnd(directory: string): void {
    this.deletions.push(directory);
    this.tell();
  }

  /** Deletes what is due, and lets the process go. Watched processes must have ended. */
  async end(): Promise<void> {
    for (const directory of this.deletions) {
      await rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    }
    this.process.stdin?.end();
  }

  private tell(): void {
    const orders = { charge: this.charge, deletions: this.deletions };
    this.process.stdin?.write(`${JSON.stringify(orders)}\n`);
  }
}
