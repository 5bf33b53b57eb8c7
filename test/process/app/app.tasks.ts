import { setTimeout } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Conductor, Task, type TaskContext } from '../../../lib/index.js';
import { gate, tell } from './gates.js';

export interface Steps {
  steps: number;
  /** Names of the steps whose bodies wait at the gate of that name. */
  hold?: string[];
  /** How long each body takes. */
  ms?: number;
}

@Injectable()
export class AppTasks {
  constructor(private readonly conductor: Conductor) {}

  @Task('steps')
  async steps({ payload }: { payload: Steps }, ctx: TaskContext) {
    for (let at = 0; at < payload.steps; at++) {
      const name = `s${at}`;
      await ctx.step(name, async () => {
        tell({ type: 'began', execution: ctx.executionId, name });
        if (payload.hold?.includes(name)) await gate(name);
        if (payload.ms !== undefined) await setTimeout(payload.ms);
      });
    }
    return payload.steps;
  }

  /** Asks for work when it has passed its gate. */
  @Task('asks')
  async asks(_event: unknown, ctx: TaskContext) {
    await ctx.step('ask', async () => {
      tell({ type: 'began', execution: ctx.executionId, name: 'ask' });
      await gate('ask');
      const { id } = await this.conductor.invoke({ name: 'quick' });
      tell({ type: 'invoked', id });
    });
  }

  /** Hears nothing of its signal. */
  @Task('deaf', { timeout: '1h' })
  async deaf(_event: unknown, ctx: TaskContext) {
    tell({ type: 'began', execution: ctx.executionId, name: 'deaf' });
    await gate('deaf');
    tell({ type: 'ended', execution: ctx.executionId, name: 'deaf' });
    return process.pid;
  }

  /** As it is asleep beside it, its process keeps a timer. */
  @Task('beside', { timeout: '1h' })
  async beside(_event: unknown, ctx: TaskContext) {
    const body = ctx.step(
      'held',
      async () => {
        tell({ type: 'began', execution: ctx.executionId, name: 'held' });
        await gate('never');
      },
      { timeout: '1h' },
    );
    await Promise.all([body, ctx.sleep('long', '1h')]);
  }

  @Task('sleeper')
  async sleeper(_event: unknown, ctx: TaskContext) {
    tell({ type: 'began', execution: ctx.executionId, name: 'sleeper' });
    await ctx.sleep('long', '1d');
  }

  @Task('quick')
  quick() {
    return process.pid;
  }
}
