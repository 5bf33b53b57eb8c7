import { clearScreenDown, cursorTo, moveCursor } from 'node:readline';
import type { WriteStream } from 'node:tty';
import type { AuditProgress } from '../api/audit-views.js';
import type { AppProcess } from './app-process.js';
import { inHand, shareDone } from './watch.js';

const BAR_WIDTH = 40;
const PLAIN_EVERY_MS = 2_000;

/** Where the sample tells what happens: lines that stay, and beneath them how far the audit is, live in a terminal and as
 *  a line every two seconds elsewhere. */
export class Screen {
  private readonly began = performance.now();
  private live: string[] = [];
  private saidAt = -Infinity;

  constructor(private readonly out: WriteStream) {}

  say(line: string): void {
    this.erase();
    this.out.write(`${this.elapsed()}  ${line}\n`);
    this.draw();
  }

  /** Without a time in front. */
  print(text: string): void {
    this.end();
    this.out.write(`${text}\n`);
  }

  show(progress: AuditProgress, workers: AppProcess[]): void {
    const statuses = statusesOf(progress);
    const states = workers.map((worker) => stateOf(worker, progress));
    if (!this.out.isTTY) return this.showPlain(progress, [statuses, ...states].join('; '));
    const filled = Math.round(shareDone(progress) * BAR_WIDTH);
    this.erase();
    this.live = [
      `${this.elapsed()}  ${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)} ${percent(progress)}`,
      `           ${statuses}`,
      `           ${states.join('   ')}`,
    ];
    this.draw();
  }

  /** Takes the live lines away. */
  end(): void {
    this.erase();
    this.live = [];
  }

  private showPlain(progress: AuditProgress, text: string): void {
    if (performance.now() - this.saidAt < PLAIN_EVERY_MS) return;
    this.saidAt = performance.now();
    this.out.write(`${this.elapsed()}  ${percent(progress)}  ${text}\n`);
  }

  private erase(): void {
    if (this.live.length === 0) return;
    moveCursor(this.out, 0, -this.live.length);
    cursorTo(this.out, 0);
    clearScreenDown(this.out);
  }

  private draw(): void {
    // a line that wraps would be two for the terminal and one for us
    const width = (this.out.columns || 80) - 1;
    for (const line of this.live) this.out.write(`${line.slice(0, width)}\n`);
  }

  private elapsed(): string {
    return `${((performance.now() - this.began) / 1_000).toFixed(1).padStart(7)} s`;
  }
}

function percent(progress: AuditProgress): string {
  return `${Math.floor(shareDone(progress) * 100)} %`.padStart(5);
}

function statusesOf({ packages, statuses, retrying, recoveries }: AuditProgress): string {
  const { pending = 0, completed = 0, running = 0, ...others } = statuses;
  const counts = Object.entries({ running, pending, ...others }).map(([name, n]) => `${n} ${name}`);
  const extras = [
    ...(retrying > 0 ? [`${retrying} to be retried`] : []),
    ...(recoveries > 0 ? [`${recoveries} recovered`] : []),
  ];
  return [`${completed} of ${packages} completed`, ...counts, ...extras].join(', ');
}

function stateOf(worker: AppProcess, progress: AuditProgress): string {
  const { name, pid, state } = worker;
  return `${name} (${pid}) ${state === 'running' ? `at ${inHand(progress, worker)}` : state}`;
}
