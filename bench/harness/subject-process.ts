import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Place, SubjectOptions } from '../subjects/subject.js';
import type { Actions } from './actions.js';
import type { Call, Reply } from './child.js';

/** No call takes longer than its cap and this. */
const PATIENCE_MS = 120_000;
const CLOSE_WITHIN_MS = 15_000;
const KEPT_OUTPUT = 2_000;

type Argument<A extends keyof Actions> = Parameters<Actions[A]>[0];
type Result<A extends keyof Actions> = Awaited<ReturnType<Actions[A]>>;

/** A subject at work in a process of its own. */
export class SubjectProcess {
  private output = '';

  private constructor(private readonly child: ChildProcess) {
    for (const stream of [child.stdout!, child.stderr!]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.output = (this.output + text).slice(-KEPT_OUTPUT);
      });
    }
  }

  static async open(
    module: string,
    options: SubjectOptions,
    place: Place,
  ): Promise<SubjectProcess> {
    const child = fork(
      fileURLToPath(new URL('child.js', import.meta.url)),
      [module, JSON.stringify(options)],
      {
        execArgv: ['--expose-gc'],
        serialization: 'advanced',
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
        env: { ...process.env, NODE_ENV: 'production' },
      },
    );
    const opened = new SubjectProcess(child);
    try {
      await opened.call('open', place);
    } catch (error) {
      await opened.kill();
      throw error;
    }
    return opened;
  }

  get pid(): number {
    return this.child.pid!;
  }

  async call<A extends keyof Actions>(
    action: A,
    argument: Argument<A>,
    capMs = 0,
  ): Promise<Result<A>> {
    const reply = await this.send({ action, argument }, capMs + PATIENCE_MS);
    if ('problem' in reply) throw new Error(`${action}: ${reply.problem}`);
    return reply.result as Result<A>;
  }

  async close(): Promise<void> {
    const exited = this.hasExited() ? undefined : once(this.child, 'exit');
    try {
      await this.send({ action: 'close', argument: undefined }, CLOSE_WITHIN_MS);
    } finally {
      if (this.child.connected) this.child.disconnect();
      const timer = setTimeout(() => this.child.kill('SIGKILL'), CLOSE_WITHIN_MS);
      await exited;
      clearTimeout(timer);
    }
  }

  async kill(): Promise<void> {
    if (this.hasExited()) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }

  private async send(call: Call, patienceMs: number): Promise<Reply> {
    return await new Promise<Reply>((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.child.off('message', answered).off('exit', ended);
      };
      const answered = (reply: unknown) => (done(), resolve(reply as Reply));
      const ended = () => (
        done(),
        reject(new Error(`${call.action}: ended early, ${this.lastWords()}`))
      );
      const timer = setTimeout(() => {
        done();
        reject(new Error(`${call.action}: no answer within ${patienceMs / 1_000} s`));
      }, patienceMs);
      if (this.hasExited()) return ended();
      this.child.on('message', answered).on('exit', ended);
      this.child.send(call);
    });
  }

  private lastWords(): string {
    const lines = this.output.trim().split('\n');
    return lines.findLast((line) => line.includes('Error')) ?? lines.at(-1)!;
  }

  private hasExited(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}
