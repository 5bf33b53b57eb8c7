// Checked by `npm run typecheck`, and by types.spec.ts without strict: each line marked with @ts-expect-error has to be an
// error, every other none. What the mark quotes, the message has to say.
import { Inject, Injectable, Scope } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import type { ConductorModuleOptions } from '../../lib/interfaces/module-options.js';
import { TaskContext } from '../../lib/interfaces/task-context.js';
// a plain import: it is the type of a constructor's parameter, which emitDecoratorMetadata refers to
import { TaskRequest } from '../../lib/interfaces/task-request.js';

@Injectable({ scope: Scope.REQUEST })
export class Audit {
  constructor(@Inject(REQUEST) private readonly request: TaskRequest<{ customer: string }>) {}

  line(): string {
    const { event, ctx } = this.request;
    const customer: string = event.payload.customer;
    // @ts-expect-error -- not in the payload
    void event.payload.amount;
    // @ts-expect-error -- read-only
    this.request.ctx = ctx;
    return customer + ctx.executionId;
  }
}

class Fine {
  readonly #logger = 1;
  count?: number;
  get sum(): number {
    return this.#logger + (this.count ?? 0);
  }
}

export function fine(ctx: TaskContext<Fine>, plain: TaskContext<{ region: string }>): string {
  const sum: number = ctx.sum;
  // @ts-expect-error -- only the context itself writes its members
  ctx.count = 1;
  return `${sum} ${plain.region}`;
}

export function headersAreReadOnly({ headers }: TaskContext): string | undefined {
  // @ts-expect-error -- read-only
  headers['tenant'] = 'other';
  // @ts-expect-error -- strings only
  const count: number = headers['count'];
  void count;
  return headers['tenant'];
}

export async function drawnValues(ctx: TaskContext): Promise<string> {
  const now: Date = await ctx.now();
  const random: number = await ctx.random();
  // @ts-expect-error -- a promise
  const uuid: string = ctx.uuid();
  // @ts-expect-error -- the step's name
  ctx.idempotencyKey();
  const key: string = ctx.idempotencyKey('charge');
  return `${now.getTime() + random}${uuid}${key}`;
}

export async function patched(ctx: TaskContext): Promise<boolean> {
  // @ts-expect-error -- a promise
  const answer: boolean = ctx.patched('change');
  return answer && (await ctx.patched('change'));
}

// @ts-expect-error -- built in
export type Patched = TaskContext<{ patched: boolean }>;
// @ts-expect-error -- built in
export type Now = TaskContext<{ now: number }>;
// @ts-expect-error -- built in
export type Key = TaskContext<{ idempotencyKey(): string }>;

class PrivateLogger {
  private readonly logger = 1;
  read(): number {
    return this.logger;
  }
}

// @ts-expect-error -- a private member is one as well
export type Private = TaskContext<PrivateLogger>;
// @ts-expect-error -- built in
export type BuiltIn = TaskContext<{ sleepUntil: number }>;
// @ts-expect-error -- built in
export type Headers = TaskContext<{ headers: string }>;
// @ts-expect-error -- will be built in
export type ToCome = TaskContext<{ checkpoint(): void }>;
// @ts-expect-error -- will be built in
export type AlsoToCome = TaskContext<{ invoke: string }>;

export const options: ConductorModuleOptions['context'][] = [
  Fine,
  { useFactory: () => ({ region: 'eu' }) },
  { inject: [REQUEST], useFactory: async ({ event }: TaskRequest) => ({ event }) },
  {
    inject: [{ token: 'tenant', optional: true }],
    useFactory: (tenant?: string) => ({ tenant }),
  },
  // @ts-expect-error -- its members are an object's
  { useFactory: () => 'eu' },
  // @ts-expect-error -- no such option
  { useClass: Fine },
];
