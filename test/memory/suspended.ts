import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Inject, Injectable, Scope } from '@nestjs/common';
import { Task, type TaskContext } from '../../lib/index.js';
import { currentExecution } from '../../lib/execution/current-execution.js';
import { startApp } from '../support/test-app.js';
import type { TestDatabase } from '../support/test-database.js';
import { until } from '../support/until.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** What handlers do before they are suspended for a month. */
export const cases = [
  'plain',
  'with its signal read',
  'with parallel waits',
  'of a request-scoped handler',
  'inside try and finally',
  'with a timer that goes on',
  'with a late call',
] as const;
export type Case = (typeof cases)[number];

export interface MemoryReport {
  suspended: number;
  /** Objects of activations: contexts, journals, what handlers made. */
  made: number;
  /** Of those, for each case, how many are still there. */
  alive: Map<Case, number>;
  heapBefore: number;
  heapAfter: number;
  rssBefore: number;
  rssAfter: number;
}

const LONG = '30d';
const CHUNK = 1_000;
/** An object of an activation takes some hundred bytes: nothing is to be told apart from noise before these are through. */
const WARM_UP = 500;
const BOUND_MS = 120_000;

/** Counts objects that are made and collected, without keeping any. */
class Census {
  made = 0;
  readonly alive = new Map<Case, number>(cases.map((name) => [name, 0]));
  private readonly registry = new FinalizationRegistry<Case>((name) => this.add(name, -1));

  track(name: Case, ...objects: object[]): void {
    for (const object of objects) this.registry.register(object, name);
    this.made += objects.length;
    this.add(name, objects.length);
  }

  get all(): number {
    return [...this.alive.values()].reduce((sum, count) => sum + count, 0);
  }

  private add(name: Case, by: number): void {
    this.alive.set(name, this.alive.get(name)! + by);
  }
}

/** Suspends so many executions in one worker, and counts what is left of their activations. */
export async function suspendMany(database: TestDatabase, count: number): Promise<MemoryReport> {
  const census = new Census();
  const timers: NodeJS.Timeout[] = [];
  let lateCalls = 0;

  @Injectable()
  class Sleepers {
    @Task('sleeper')
    async handle({ payload: name }: { payload: Case }, ctx: TaskContext) {
      const own = { of: 'the handler' };
      const { execution } = currentExecution.get()!;
      census.track(name, own, ctx, ctx.event, execution!);
      switch (name) {
        case 'with its signal read':
          ctx.signal.addEventListener('abort', () => own.of);
          break;
        case 'with parallel waits':
          await Promise.all([
            ctx.sleep('first', LONG),
            Promise.race([ctx.sleep('second', LONG), ctx.sleep('third', LONG)]),
          ]);
          break;
        case 'inside try and finally':
          try {
            await ctx.step('before', () => own.of);
            await ctx.sleep('inside', LONG);
          } finally {
            census.track(name, own); // never
          }
          break;
        case 'with a timer that goes on':
          // it keeps the async context it was made in, and refers to nothing else
          timers.push(setInterval(noop, 1_000_000));
          break;
        case 'with a late call':
          setTimeout(() => {
            lateCalls += 1;
            void ctx.step('late', () => own.of).then(noop, noop);
          }, 50);
          break;
        case 'plain':
        case 'of a request-scoped handler':
      }
      await ctx.sleep('long', LONG);
      return own;
    }
  }
  @Injectable()
  class Unit {
    id = 0;
  }
  @Injectable({ scope: Scope.REQUEST })
  class ScopedSleepers {
    constructor(@Inject(Unit) private readonly unit: Unit) {}
    @Task('scoped')
    async handle(_event: unknown, ctx: TaskContext) {
      const { execution } = currentExecution.get()!;
      census.track('of a request-scoped handler', this, this.unit, ctx, execution!);
      await ctx.sleep('long', LONG);
    }
  }
  const app = await startApp({
    url: database.url,
    providers: [Sleepers, ScopedSleepers, { provide: Unit, useClass: Unit, scope: Scope.REQUEST }],
    queues: { default: { concurrency: 500 } },
  });
  const suspended = async () => {
    const [row] = await database.query<{ count: string }>(
      `select count(*) from conductor.run where status = 2`,
    );
    return Number(row!.count);
  };
  const suspend = async (from: number, to: number) => {
    for (let first = from; first < to; first += CHUNK) {
      const names = Array.from(
        { length: Math.min(CHUNK, to - first) },
        (_, i) => cases[(first + i) % cases.length]!,
      );
      const scoped = names.filter((name) => name === 'of a request-scoped handler');
      const others = names.filter((name) => name !== 'of a request-scoped handler');
      await app.conductor.invokeMany({ name: 'sleeper' }, others.map((payload) => ({ payload }))); // prettier-ignore
      await app.conductor.invokeMany({ name: 'scoped' }, scoped.map((payload) => ({ payload }))); // prettier-ignore
    }
    await until(async () => (await suspended()) === to, BOUND_MS);
    await until(() => lateCalls >= Math.floor(to / cases.length), BOUND_MS);
  };
  const settle = async () => {
    // what is alive is told at the end, and not by waiting for ever
    const end = Date.now() + 10_000;
    await until(() => {
      collect();
      return census.all === 0 || Date.now() > end;
    }, BOUND_MS);
    return process.memoryUsage();
  };
  try {
    await suspend(0, Math.min(WARM_UP, count));
    const before = await settle();
    await suspend(Math.min(WARM_UP, count), count);
    const after = await settle();
    return {
      suspended: await suspended(),
      made: census.made,
      alive: census.alive,
      heapBefore: before.heapUsed,
      heapAfter: after.heapUsed,
      rssBefore: before.rss,
      rssAfter: after.rss,
    };
  } finally {
    for (const timer of timers) clearInterval(timer);
    await app.close();
  }
}

function noop(): void {}
