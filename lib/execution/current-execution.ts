import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import type { EntityManager } from 'typeorm';
import type { StepOptions } from '../interfaces/step-options.js';

/** A call of a `@Step` method, as the running execution sees it. */
export interface StepCall {
  /** `Class.method` or the name given to `@Step`; the execution adds `#2`, `#3`… at call time. */
  name: string;
  /** What `key(...args)` gave; replaces the number. */
  key?: string;
  args: readonly unknown[];
  options: StepOptions;
  transactional?: boolean;
  body: () => Promise<unknown>;
}

/** The port that `@Step` talks to. */
export interface ActiveExecution {
  callStep(call: StepCall): Promise<unknown>;
}

export interface ExecutionOwner {
  readonly executionId: string;
  readonly taskName: string;
}

/** Where a piece of user code runs. It is a cell and not the execution itself: things that a handler creates (an
 *  interval, a lazy client) keep their async context for as long as they live, and the cell is emptied when the
 *  activation ends, so that they keep nothing else alive. */
export interface ExecutionCell {
  /** Whose user code this is; stays when the cell is emptied. */
  readonly owner?: ExecutionOwner;
  execution?: ActiveExecution;
  /** The step whose body this is: `@Step` and `ctx.step` run inline here. */
  insideStep?: string;
  /** The transaction that this body runs in: an EntityManager of the app's DataSource. */
  transaction?: EntityManager;
  /** Aborted when that body's own time is over. */
  stepSignal?: AbortSignal;
}

const storage = new AsyncLocalStorage<ExecutionCell>();

export const currentExecution = {
  /** In an AsyncResource of its own: many are begun in one turn, and what one of them enters (`AsyncLocalStorage.enterWith`) before it
   *  awaits anything would stay for those that come after it. */
  run<T>(cell: ExecutionCell, fn: () => T): T {
    return new AsyncResource('ConductorExecution').runInAsyncScope(() => storage.run(cell, fn));
  },
  get(): ExecutionCell | undefined {
    return storage.getStore();
  },
};
