import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable } from '@nestjs/common';
import { Step, Task, type StepOptions, type TaskContext } from '../../lib/index.js';
import type { Activation, Ledger } from './ledger.js';
import { drawProgram, type Contender, type Part } from './program.js';

/** What is appended to the name of a step that a bad deploy renamed. */
export const RENAMED = ' (renamed)';

/** What a program needs to know of the test that runs it. */
export interface Stage {
  ledgerOf(executionId: string, seed: number): Ledger;
  /** The step that the code of this activation calls by another name. */
  renamed(executionId: string, activation: Activation): string | undefined;
}

const current = new AsyncLocalStorage<Performance>();

const turns = async (count: number) => {
  for (let i = 0; i < count; i += 1) await new Promise((resolve) => setImmediate(resolve));
};

const wrapped = async <T>(promise: Promise<T>, depth: number): Promise<T> =>
  depth === 0 ? await promise : await wrapped(promise, depth - 1);

@Injectable()
export class Parts {
  @Step()
  async load(id: string, count: number) {
    return await current.getStore()!.body(`load ${id}`, count);
  }

  @Step()
  async save(value: string) {
    return await current.getStore()!.body(`save ${value}`, 0);
  }

  @Step({ key: (id: string) => id })
  async keyed(id: string) {
    return await current.getStore()!.body(`keyed ${id}`, 1);
  }
}

@Injectable()
export class Programs {
  constructor(
    private readonly parts: Parts,
    private readonly stage: Stage,
  ) {}

  @Task('program', { retry: { maxAttempts: 4, backoff: { type: 'fixed', delay: 1, jitter: 0 } } })
  async program({ payload: seed }: { payload: number }, ctx: TaskContext) {
    const ledger = this.stage.ledgerOf(ctx.executionId, seed);
    const activation = ledger.begin(ctx.fence, ctx.attempt);
    const renamed = this.stage.renamed(ctx.executionId, activation);
    const performance = new Performance(ctx, this.parts, ledger, activation, renamed);
    const { body, awaitsLosers } = drawProgram(seed);
    return await current.run(performance, async () => {
      const result = await performance.act(body);
      if (awaitsLosers) await performance.losers();
      return result;
    });
  }
}

/** Carries a program out, once. What it returns depends on the program alone. */
class Performance {
  private readonly running: Promise<unknown>[] = [];

  constructor(
    private readonly ctx: TaskContext,
    private readonly parts: Parts,
    private readonly ledger: Ledger,
    private readonly activation: Activation,
    private readonly renamed: string | undefined,
  ) {}

  async act(part: Part): Promise<string> {
    switch (part.does) {
      case 'step':
        return await wrapped(this.step(part.name, part.turns), part.depth);
      case 'call':
        return await this.call(part);
      case 'sleep':
        await this.seen(part.name, this.ctx.sleep(part.name, part.ms));
        return part.name;
      case 'drawn':
        return await this.drawn(part);
      case 'patched': {
        // as the code was before, it did not ask
        const isNew = this.activation.fence > part.since;
        const answer = isNew && (await this.ctx.patched(part.name));
        this.ledger.patched(part.name, answer, isNew, this.activation);
        await this.step(`${part.name} ${answer ? 'new' : 'old'}`, 1);
        return part.name;
      }
      case 'own':
        await turns(part.turns);
        return 'own';
      case 'retried': {
        const backoff = { type: 'fixed', delay: part.delayMs, jitter: 0 } as const;
        const retry = { maxAttempts: part.failures + 1, backoff };
        return await this.step(part.name, 1, (run) => run <= part.failures, { retry });
      }
      case 'caught': {
        const backoff = { type: 'fixed', delay: 2, jitter: 0 } as const;
        const fails = () => part.always || this.activation.attempt === 1;
        await this.step(part.name, 1, fails, {
          retry: { maxAttempts: part.tries, backoff },
        }).catch(() => this.step(`instead of ${part.name}`, 0));
        return part.name;
      }
      case 'uncaught':
        return await this.step(part.name, 1, () => this.activation.attempt <= part.attempts);
      case 'sequence': {
        const values: string[] = [];
        for (const one of part.parts) values.push(await this.act(one));
        return values.join(', ');
      }
      case 'all':
        return `[${(await Promise.all(part.parts.map((one) => this.act(one)))).join(' | ')}]`;
      case 'settled': {
        const settled = await Promise.allSettled([
          this.step(part.name, 2, () => true),
          ...part.parts.map((one) => this.act(one)),
        ]);
        return `{${settled.map((one) => (one.status === 'fulfilled' ? one.value : 'failed')).join(' | ')}}`;
      }
      case 'race':
      case 'any':
        return await this.race(part);
    }
  }

  private async drawn({ name, what }: Part & { does: 'drawn' }): Promise<string> {
    const drawn = String(await this.ctx[what]());
    this.ledger.drew(name, drawn, this.activation);
    await this.step(name, 1);
    return name;
  }

  /** Resolves when nothing is at work any more that the handler went on without. */
  async losers(): Promise<void> {
    while (this.running.length > 0) await this.running.shift();
  }

  private async race({ does, name, contenders, sure }: Part & { does: 'race' | 'any' }) {
    const promises = contenders.map((contender) => this.contend(contender));
    const winner = await (does === 'any' ? Promise.any(promises) : Promise.race(promises));
    const after = `after ${name} ${winner}`;
    await this.step(after, 1, () => {
      this.ledger.won(name, winner, this.activation);
      return false;
    });
    return sure ? after : `after ${name}`;
  }

  private async contend({ label, part, fails, ends }: Contender): Promise<string> {
    const act =
      fails && part.does === 'step' ? this.step(part.name, part.turns, () => true) : this.act(part);
    if (ends) this.running.push(act.catch(() => undefined));
    await act;
    return label;
  }

  private async call({ id, turns: count, keyed }: Part & { does: 'call' }): Promise<string> {
    if (keyed) return await this.seen(`keyed ${id}`, this.parts.keyed(id));
    const loaded = await this.seen(`load ${id}`, this.parts.load(id, count));
    return await this.seen(`save ${loaded}`, this.parts.save(loaded));
  }

  private step(
    name: string,
    count: number,
    fails: (run: number) => boolean = () => false,
    options?: StepOptions,
  ): Promise<string> {
    const called = name === this.renamed ? name + RENAMED : name;
    return this.seen(
      called,
      this.ctx.step(called, () => this.body(called, count, fails), options),
    );
  }

  async body(
    step: string,
    count: number,
    fails: (run: number) => boolean = () => false,
  ): Promise<string> {
    const run = this.ledger.bodyStarts(step, this.activation);
    if (step.endsWith(RENAMED)) this.ledger.problem(`the body of "${step}" ran`);
    await turns(count);
    if (fails(run)) throw new Error(`${step} fails`);
    return step;
  }

  private async seen<T>(name: string, outcome: Promise<T>): Promise<T> {
    return await outcome.then(
      (value) => {
        this.activation.seen.push(`${name} = ${String(value)}`);
        return value;
      },
      (error: Error & { code?: string }) => {
        // what the engine itself refuses is no outcome of the step
        if (error.code === undefined) this.activation.seen.push(`${name} = ${error.message}`);
        throw error;
      },
    );
  }
}
