import { jest } from '@jest/globals';
import {
  Controller,
  Inject,
  Injectable,
  Logger,
  Module,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  UsePipes,
  type CanActivate,
  type ExceptionFilter,
  type ModuleMetadata,
  type NestInterceptor,
} from '@nestjs/common';
import { DiscoveryModule, ModuleRef } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { z } from 'zod';
import { defineTask } from '../../../lib/contracts/define-task.js';
import { Step } from '../../../lib/decorators/step.decorator.js';
import { Task } from '../../../lib/decorators/task.decorator.js';
import { ActivationScope } from '../../../lib/discovery/activation-scope.js';
import type { TaskDefinition } from '../../../lib/discovery/task-definition.js';
import { TaskMetadataAccessor } from '../../../lib/discovery/task-metadata.accessor.js';
import { TaskExplorer } from '../../../lib/discovery/task.explorer.js';
import { TaskRegistry } from '../../../lib/discovery/task.registry.js';
import { DuplicateTaskError } from '../../../lib/errors/duplicate-task.error.js';
import { InvalidTaskError } from '../../../lib/errors/invalid-task.error.js';
import type { TaskContext } from '../../../lib/interfaces/task-context.js';
import { TaskRequest } from '../../../lib/interfaces/task-request.js';

const payload = z.object({ id: z.string() });
const returns = z.number();
const charge = defineTask({ name: 'orders.charge', queue: 'payments', payload, returns });

/** Singletons ask for none. */
const noScope = undefined as unknown as ActivationScope;

@Injectable()
class OrderTasks {
  readonly shop: string = 'shop';
  @Task(charge, { priority: 3 })
  charge(event: { payload: { id: string } }): number {
    return this.shop.length + event.payload.id.length;
  }
  @Task('orders.report')
  report() {
    return this.shop;
  }
  notATask() {}
}

describe('TaskExplorer', () => {
  const modules: TestingModule[] = [];

  async function app(metadata: ModuleMetadata): Promise<TestingModule> {
    const module = await Test.createTestingModule({
      ...metadata,
      imports: [DiscoveryModule, ...(metadata.imports ?? [])],
      providers: [TaskExplorer, TaskMetadataAccessor, ...(metadata.providers ?? [])],
    }).compile();
    modules.push(module);
    return module;
  }

  async function explore(metadata: ModuleMetadata): Promise<TaskDefinition[]> {
    return (await app(metadata)).get(TaskExplorer).explore();
  }

  async function refused(metadata: ModuleMetadata): Promise<InvalidTaskError> {
    const error = await explore(metadata).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidTaskError);
    return error as InvalidTaskError;
  }

  afterEach(async () => {
    await Promise.all(modules.splice(0).map((module) => module.close()));
  });

  it('finds every handler with its contract, its options and where it is written', async () => {
    const found = await explore({ providers: [OrderTasks] });
    expect(found).toEqual([
      {
        name: 'orders.charge',
        queue: 'payments',
        options: { priority: 3 },
        payload,
        returns,
        handler: expect.any(Function),
        source: 'OrderTasks.charge',
        home: 'provider of RootTestModule',
      },
      {
        name: 'orders.report',
        queue: 'default',
        options: {},
        handler: expect.any(Function),
        source: 'OrderTasks.report',
        home: 'provider of RootTestModule',
      },
    ]);
  });

  it('binds handlers to their instances', async () => {
    const [task] = await explore({ providers: [OrderTasks] });
    expect(task!.handler({ payload: { id: '123' } }, undefined, noScope)).toBe(7);
  });

  it('calls what lies over a method at the time of the call', async () => {
    const module = await app({ providers: [OrderTasks] });
    const [, report] = await module.get(TaskExplorer).explore();
    const spy = jest.spyOn(module.get(OrderTasks), 'report').mockReturnValue('spied');
    expect(report!.handler('event', 'ctx', noScope)).toBe('spied');
    expect(spy).toHaveBeenCalledWith('event', 'ctx');
    spy.mockRestore();
    expect(report!.handler('event', 'ctx', noScope)).toBe('shop');
  });

  it('finds handlers on controllers', async () => {
    @Controller()
    class Orders {
      @Task('from-controller', { queue: 'other' })
      handle() {}
    }
    await expect(explore({ controllers: [Orders] })).resolves.toMatchObject([
      { name: 'from-controller', queue: 'other', home: 'controller of RootTestModule' },
    ]);
  });

  it('finds handlers in other modules, on values, and on what factories made', async () => {
    class Made {
      constructor(private readonly by: string) {}
      @Task('made')
      handle() {
        return this.by;
      }
    }
    @Module({
      providers: [
        {
          provide: 'made',
          useFactory: async (shop: OrderTasks) => new Made(shop.shop),
          inject: [OrderTasks],
        },
        OrderTasks,
      ],
    })
    class Factory {}
    class AValue {
      @Task('value')
      handle() {}
    }
    const found = await explore({
      imports: [Factory],
      providers: [{ provide: 'value', useValue: new AValue() }],
    });
    expect(found.map(({ source }) => source).toSorted()).toEqual([
      'AValue.handle',
      'Made.handle',
      'OrderTasks.charge',
      'OrderTasks.report',
    ]);
    expect(found.find(({ name }) => name === 'made')!.handler(0, 0, noScope)).toBe('shop');
  });

  it('takes one instance under several tokens for one handler', async () => {
    @Module({ providers: [OrderTasks], exports: [OrderTasks] })
    class Orders {}
    const found = await explore({
      imports: [Orders],
      providers: [
        { provide: 'alias', useExisting: OrderTasks },
        { provide: 'same', useFactory: (tasks: OrderTasks) => tasks, inject: [OrderTasks] },
      ],
    });
    expect(found).toHaveLength(2);
  });

  it('looks into values of every kind without harm', async () => {
    const mock: unknown = new Proxy(
      {},
      { get: (_target, key) => (key === 'then' ? undefined : () => 'answered') },
    );
    const throwing = new (class {
      get trap(): never {
        throw new Error('read');
      }
    })();
    const values = [
      undefined,
      null,
      0,
      'text',
      Symbol('s'),
      () => 1,
      OrderTasks,
      [],
      mock,
      throwing,
      Object.create(null),
    ];
    const providers = values.map((useValue: unknown, index) => ({
      provide: `value ${index}`,
      useFactory: () => useValue,
    }));
    await expect(explore({ providers })).resolves.toEqual([]);
  });

  it('finds an inherited handler under the class that was provided, and no override that is none', async () => {
    class Special extends OrderTasks {
      override readonly shop = 'special';
      override charge() {
        return 0;
      }
    }
    const found = await explore({ providers: [Special] });
    expect(found.map(({ source }) => source)).toEqual(['Special.report']);
    expect(found[0]!.handler(0, 0, noScope)).toBe('special');
  });

  it('finds nothing on a provider that was taken away', async () => {
    const providers = [{ provide: OrderTasks, useValue: null }];
    await expect(explore({ providers })).resolves.toEqual([]);
  });

  it('S4 O4 makes a class that is not a singleton anew for each activation, within its DI context', async () => {
    let made = 0;
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      readonly number = (made += 1);
      @Task('per-request')
      handle() {
        return this.number;
      }
    }
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Durable {
      constructor(readonly perRequest: PerRequest) {}
      @Task('durable')
      handle() {
        return this.perRequest.number;
      }
    }
    @Injectable()
    class Depends {
      constructor(readonly perRequest: PerRequest) {}
      @Task('depends')
      handle() {
        return this.perRequest.number;
      }
    }
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient {
      readonly number = (made += 1);
      @Task('transient')
      handle() {
        return this.number;
      }
    }
    @Controller({ scope: Scope.REQUEST })
    class RequestController {
      constructor(readonly perRequest: PerRequest) {}
      @Task('controller')
      handle() {
        return this.perRequest.number;
      }
    }
    class Made {
      constructor(readonly number: number) {}
      @Task('made')
      handle() {
        return this.number;
      }
    }
    const module = await app({
      controllers: [RequestController],
      providers: [
        PerRequest,
        Durable,
        Depends,
        Transient,
        { provide: Made, scope: Scope.REQUEST, useFactory: () => new Made((made += 1)) },
      ],
    });
    const found = await module.get(TaskExplorer).explore();
    expect(made).toBe(0);
    const activate = async () => {
      const request = new TaskRequest(
        { name: 'conductor.invoke', payload: undefined },
        {} as TaskContext,
      );
      const scope = new ActivationScope(module.get(ModuleRef), request);
      const numbers: Record<string, unknown> = {};
      for (const { name, handler } of found) numbers[name] = await handler(0, 0, scope);
      return numbers;
    };
    const shared = { 'per-request': 1, durable: 1, depends: 1, controller: 1 };
    await expect(activate()).resolves.toEqual({ ...shared, transient: 2, made: 3 });
    await expect(activate()).resolves.toMatchObject({ 'per-request': 4, depends: 4, transient: 5 });
  });

  it('resolves each of two request-scoped classes of one name in its own module', async () => {
    const own = (name: string) => {
      @Injectable({ scope: Scope.REQUEST })
      class Tasks {
        constructor(@Inject('where') private readonly where: string) {}
        @Task(name)
        handle() {
          return this.where;
        }
      }
      return { provide: 'tasks', useClass: Tasks };
    };
    const at = (where: string) => ({ provide: 'where', useValue: where });
    @Module({ providers: [own('one'), at('first')] })
    class First {}
    @Module({ providers: [own('two'), at('second')] })
    class Second {}
    const module = await app({ imports: [First, Second] });
    const scope = new ActivationScope(
      module.get(ModuleRef),
      new TaskRequest({ name: 'conductor.invoke', payload: undefined }, {} as TaskContext),
    );
    const found = await module.get(TaskExplorer).explore();
    const answers = await Promise.all(found.map(({ handler }) => handler(0, 0, scope)));
    expect(new Set(answers)).toEqual(new Set(['first', 'second']));
  });

  it('takes a singleton that only injects a transient provider', async () => {
    @Injectable({ scope: Scope.TRANSIENT })
    class Logger {}
    @Injectable()
    class Tasks {
      constructor(readonly logger: Logger) {}
      @Task('one')
      handle() {}
    }
    await expect(explore({ providers: [Logger, Tasks] })).resolves.toHaveLength(1);
  });

  it.each([
    ['above', Task('both') as MethodDecorator, Step() as MethodDecorator],
    ['below', Step() as MethodDecorator, Task('both') as MethodDecorator],
  ])('refuses a method that is a step as well, with @Task %s', async (_where, upper, lower) => {
    class Both {
      @upper
      @lower
      async handle() {}
    }
    const { message } = await refused({ providers: [Both] });
    expect(message).toMatch(/Both\.handle[\s\S]*both @Task and @Step/);
  });

  it('refuses guards, interceptors and filters, which would do nothing, and warns of those that a controller has for its routes', async () => {
    const nothing: CanActivate & NestInterceptor & ExceptionFilter = {
      canActivate: () => false,
      intercept: (_context, next) => next.handle(),
      catch() {},
    };
    class Guarded {
      @UseGuards(nothing)
      @UseInterceptors(nothing)
      @Task('one')
      one() {}
      @Task('two')
      @UseFilters(nothing)
      two() {}
      @Task('three')
      @UsePipes({ transform: (value) => value })
      three() {}
    }
    @UseGuards(nothing)
    class Whole {
      @Task('four')
      handle() {}
      @UseGuards(nothing)
      notATask() {}
    }
    class Inherits extends Whole {}
    const { problems } = await refused({ providers: [Guarded, Inherits] });
    expect(problems).toEqual([
      expect.stringMatching(
        /^Guarded\.one: has @UseGuards and @UseInterceptors, which tasks do not/,
      ),
      expect.stringMatching(/^Guarded\.two: has @UseFilters, which/),
      expect.stringMatching(/^Inherits\.handle: its class has @UseGuards, which/),
    ]);

    const warn = jest.spyOn(Logger.prototype, 'warn').mockImplementation(() => undefined);
    @Controller()
    @UseGuards(nothing)
    class Orders {
      @Task('five')
      handle() {}
    }
    await expect(explore({ controllers: [Orders], providers: [OrderTasks] })).resolves.toHaveLength(
      3,
    );
    expect(warn.mock.calls).toEqual([
      [expect.stringMatching(/^Orders\.handle: its class has @UseGuards, which tasks do not/)],
    ]);
    warn.mockRestore();
  });

  it('lists all problems of all tasks at once', async () => {
    class Bad {
      @Task('', { retry: { maxAttempts: 0 }, priority: 1.5 })
      one() {}
      @Task('fine')
      fine() {}
      @Task({ name: 'two', payload } as { name: string })
      two() {}
      @Task(undefined as unknown as string)
      three() {}
      @Task(charge, { queue: 'elsewhere' })
      four() {
        return 1;
      }
    }
    const error = await refused({ providers: [Bad] });
    expect(error.source).toBe('Bad.one, Bad.two, Bad.three, Bad.four');
    expect(error.problems).toEqual([
      "Bad.one: the task's name must not be empty",
      expect.stringMatching(/^Bad\.one: retry\.maxAttempts must be an integer/),
      expect.stringMatching(/^Bad\.one: priority must be an integer/),
      expect.stringMatching(/^Bad\.two: unknown option payload/),
      expect.stringMatching(/^Bad\.three: the task's name must be a string.*import each other/),
      expect.stringMatching(/^Bad\.four: queue is "elsewhere".*"payments"/),
    ]);
  });

  it('checks what factories make of the app’s providers as if it were written there', async () => {
    const config = {
      provide: 'CONFIG',
      useValue: { priority: 1.5, queue: 'elsewhere', attempts: 8 },
    };
    type Config = (typeof config)['useValue'];
    class Bad {
      @Task('x', { priority: { inject: ['CONFIG'], useFactory: (c: Config) => c.priority } })
      one() {}
      @Task('y', { useFactory: () => ({ retry: { maxAttempts: 0 } }) })
      two() {}
      @Task(charge, { queue: { inject: ['CONFIG'], useFactory: (c: Config) => c.queue } })
      three() {
        return 1;
      }
      @Task('z', { timeout: { inject: ['NOWHERE'], useFactory: () => '1s' }, version: -1 })
      four() {}
    }
    const { problems } = await refused({ providers: [Bad, config] });
    expect(problems).toEqual([
      expect.stringMatching(/^Bad\.one: priority must be an integer.*1\.5/),
      expect.stringMatching(/^Bad\.two: retry\.maxAttempts must be an integer/),
      expect.stringMatching(/^Bad\.three: queue is "elsewhere".*"payments"/),
      expect.stringMatching(/^Bad\.four: timeout\.inject: NOWHERE is not a provider/),
      expect.stringMatching(/^Bad\.four: version must/),
    ]);

    class Good {
      @Task(
        { name: 'x', timeout: '1m', priority: 3 },
        {
          inject: ['CONFIG'],
          useFactory: async (c: Config) => ({ priority: c.attempts, queue: c.queue }),
        },
      )
      one() {}
    }
    await expect(explore({ providers: [Good, config] })).resolves.toMatchObject([
      { queue: 'elsewhere', options: { timeout: '1m', priority: 8, queue: 'elsewhere' } },
    ]);
  });

  it('names a single handler that cannot work once', async () => {
    class Bad {
      @Task('bad', { priority: 1.5 })
      handle() {}
    }
    const error = await refused({ providers: [Bad] });
    expect(error.source).toBe('Bad.handle');
    expect(error.problems).toEqual([expect.stringMatching(/^priority must/)]);
  });

  it('X3 finds two handlers of one task, on two classes and on two instances of one, for the registry to refuse', async () => {
    class Other {
      @Task('orders.report')
      handle() {}
    }
    const boot = async (metadata: ModuleMetadata) =>
      new TaskRegistry().addAll(await explore(metadata));
    await expect(boot({ providers: [OrderTasks, Other] })).rejects.toThrow(DuplicateTaskError);
    await expect(boot({ providers: [OrderTasks, Other] })).rejects.toThrow(
      /OrderTasks\.report.*Other\.handle/,
    );
    @Module({ providers: [OrderTasks] })
    class First {}
    @Module({ providers: [OrderTasks] })
    class Second {}
    await expect(boot({ imports: [First, Second] })).rejects.toThrow(
      /OrderTasks\.charge \(provider of First\).*OrderTasks\.charge \(provider of Second\)/,
    );
  });
});
