// Checked by `npm run typecheck`, and by types.spec.ts without strict: each line marked with @ts-expect-error has to be an
// error, every other none. What the mark quotes, the message has to say.
import { defineTask } from '../../lib/contracts/define-task.js';
import { type } from '../../lib/contracts/schema.js';
import { Payload } from '../../lib/decorators/params.decorator.js';
import { Task } from '../../lib/decorators/task.decorator.js';
import type { Injected } from '../../lib/interfaces/injected.js';
import type { RetryOptions } from '../../lib/interfaces/retry-options.js';
import type { TaskOptions } from '../../lib/interfaces/task-options.js';

const charge = defineTask({
  name: 'orders.charge',
  payload: type<{ orderId: string }>(),
  returns: type<string>(),
});

declare class Config {
  get(key: string): string;
  number(key: string): number;
  retry(): Promise<RetryOptions>;
}
const TOKEN = Symbol('token');
const maxAttempts: Injected<RetryOptions> = {
  inject: [Config],
  useFactory: (config: Config) => ({ maxAttempts: config.number('attempts') }),
};

export class Values {
  @Task('plain', { retry: { maxAttempts: 3 }, timeout: '5m', maxLosses: false })
  plain() {}

  @Task('named', { retry: maxAttempts })
  named() {}

  @Task({
    name: 'beside',
    priority: { inject: [Config], useFactory: (c: Config) => c.number('p') },
  })
  beside() {}

  @Task(charge, {
    retry: {
      inject: [Config, TOKEN, { token: 'optional', optional: true }],
      useFactory: async (config: Config, delay: number) => ({
        maxAttempts: config.number('attempts'),
        backoff: { type: 'fixed' as const, delay, max: config.get('max') },
      }),
    },
    timeout: { inject: [Config], useFactory: (config: Config) => config.get('timeout') },
    expireAfter: { useFactory: () => 1_000 },
    deadline: { inject: [Config], useFactory: (config) => config.get('deadline') },
    maxLosses: { useFactory: () => false },
    queue: { useFactory: async () => 'payments' },
  })
  each(event: { payload: { orderId: string } }) {
    return event.payload.orderId;
  }

  @Task(charge, {
    deadline: '1d',
    inject: [Config],
    useFactory: async (config: Config) => ({
      retry: await config.retry(),
      timeout: config.get('timeout'),
      version: config.number('version'),
    }),
  })
  whole(event: { payload: { orderId: string } }) {
    return event.payload.orderId;
  }

  @Task(charge, { params: 'decorated', timeout: { useFactory: () => '5m' } })
  decorated(@Payload() { orderId }: { orderId: string }) {
    return orderId;
  }
}

export class Misfits {
  // @ts-expect-error -- a factory's value is of the option's type
  @Task('x', { priority: { useFactory: () => 'high' } })
  priority() {}

  // @ts-expect-error -- also where it comes later
  @Task('x', { priority: { useFactory: async () => 'high' } })
  later() {}

  // @ts-expect-error -- a number, not what is in the environment
  @Task('x', {
    retry: { inject: [Config], useFactory: (c: Config) => ({ maxAttempts: c.get('attempts') }) },
  })
  attempts() {}

  // @ts-expect-error -- also within all of them
  @Task('x', {
    inject: [Config],
    useFactory: (config: Config) => ({ version: config.get('version') }),
  })
  whole() {}

  // @ts-expect-error -- also within all of them, where they come later
  @Task('x', { useFactory: async () => ({ maxLosses: true }) })
  wholeLater() {}

  // @ts-expect-error -- what is written here is checked as ever
  @Task('x', { timeout: 'soon' })
  duration() {}

  // @ts-expect-error -- no such option
  @Task('x', { timeuot: { useFactory: () => '5m' } })
  unknown() {}

  // @ts-expect-error -- a factory needs its function
  @Task('x', { priority: { inject: [Config] } })
  missing() {}

  // @ts-expect-error -- what to inject is a list
  @Task('x', { priority: { inject: Config, useFactory: (config: Config) => config.number('p') } })
  list() {}

  // @ts-expect-error -- a function alone does not say what to inject
  @Task('x', { priority: (config: Config) => config.number('p') })
  bare() {}

  // @ts-expect-error -- it is for the compiler
  @Task('x', { params: { useFactory: () => 'decorated' } })
  params() {}

  // @ts-expect-error -- "the result is not what the contract says"
  @Task(charge, { params: 'decorated', retry: maxAttempts })
  result(@Payload() _payload: unknown) {
    return 1;
  }

  // @ts-expect-error -- "the first parameter is not the event of the contract"
  @Task(charge, {
    inject: [Config],
    useFactory: (config: Config) => ({ timeout: config.get('t') }),
  })
  event(_event: { payload: { other: string } }) {
    return '';
  }
}

export const options: TaskOptions = { timeout: '5m', retry: maxAttempts };
