import { Inject, Injectable, Module, Optional, Scope, type Type } from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import {
  InvalidOptionsError,
  NonRetryableError,
  Task,
  TaskContext,
  TaskRequest,
} from '../../lib/index.js';
import { collected } from '../support/garbage.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

const soon = { timeout: '20s' } as const;

@Injectable()
class Mailer {
  readonly sent: string[] = [];
  send(to: string) {
    return this.sent.push(to);
  }
}

@Module({ providers: [Mailer], exports: [Mailer] })
class MailModule {}

/** A provider whose one task returns what `read` takes from its context. */
function reading<C extends object>(read: (ctx: TaskContext & C) => unknown): Type<object> {
  @Injectable()
  class Tasks {
    @Task('read', { retry: { maxAttempts: 1 } })
    async handle(_event: unknown, ctx: TaskContext) {
      return await read(ctx as TaskContext & C);
    }
  }
  return Tasks;
}

describe('a custom context', () => {
  const { start } = testApps('all');

  /** Boots an app with this context, and gives what its task read, `times` times. It is closed again: another app of the same
   *  test would take its executions. */
  async function read(app: Parameters<typeof start>[0], times = 1): Promise<unknown[]> {
    const started = await start({ modules: [MailModule], ...app });
    const results: unknown[] = [];
    for (let i = 0; i < times; i += 1)
      results.push(await started.conductor.invokeAndWait({ name: 'read' }, i, soon));
    await started.close();
    return results;
  }

  async function refused(app: Parameters<typeof start>[0]): Promise<string> {
    const error = await start({ modules: [MailModule], ...app }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidOptionsError);
    return (error as Error).message;
  }

  describe('that is a class', () => {
    class Base {
      protected readonly greeting: string = 'hello';
      greet(name: string) {
        return `${this.greeting} ${name}`;
      }
      get inherited() {
        return 'inherited';
      }
    }

    it('has its fields, getters, methods and what it inherits, with #private fields within reach', async () => {
      @Injectable()
      class Context extends Base {
        #count = 0;
        last?: number;
        protected override readonly greeting = 'good day';
        constructor(readonly mailer: Mailer) {
          super();
        }
        get count() {
          return this.#count;
        }
        next() {
          this.last = this.#count += 1;
          return this;
        }
        override greet(name: string) {
          return `${super.greet(name)}!`;
        }
        async later() {
          return this.#count;
        }
      }
      const Tasks = reading<Context>(async (ctx) => {
        // oxlint-disable-next-line typescript/unbound-method -- members are bound
        const { greet } = ctx;
        ctx.next();
        ctx.next();
        return [ctx.count, ctx.last, greet('Ada'), ctx.inherited, await ctx.later(), ctx.attempt];
      });
      const expected = [2, 2, 'good day Ada!', 'inherited', 2, 1];
      await expect(read({ context: Context, providers: [Tasks] })).resolves.toEqual([expected]);
      await expect(read({ context: Context, providers: [Context, Tasks] })).resolves.toEqual([
        expected,
      ]);
    });

    it('lets only itself write its fields', async () => {
      @Injectable()
      class Context {
        count = 0;
      }
      const Tasks = reading<Context>((ctx) => {
        const write = (name: 'count' | 'own') => Reflect.set(ctx, name, 1);
        return [write('count'), ctx.count, 'count' in ctx, 'fence' in ctx, write('own')];
      });
      await expect(read({ context: Context, providers: [Tasks] }, 2)).resolves.toEqual([
        [false, 0, true, true, true],
        [false, 0, true, true, true],
      ]);
    });

    it('is one for all activations, and the app’s own one where it is a provider', async () => {
      @Injectable()
      class Context {
        constructor(readonly mailer: Mailer) {}
      }
      const Tasks = reading<Context>((ctx) => ctx.mailer.send(ctx.executionId));
      const { app, conductor } = await start({
        context: Context,
        modules: [MailModule],
        providers: [Context, Tasks],
      });
      await conductor.invokeAndWait({ name: 'read' }, 0, soon);
      await expect(conductor.invokeAndWait({ name: 'read' }, 0, soon)).resolves.toBe(2);
      expect(app.get(Context).mailer.sent).toHaveLength(2);
    });

    it('is injected as Nest does it, by parameter, by token, by property, and optionally', async () => {
      @Injectable()
      class Context {
        @Inject(Mailer) readonly byProperty?: Mailer;
        constructor(
          readonly mailer: Mailer,
          @Inject('zone') readonly zone: string,
          @Optional() @Inject('nowhere') readonly missing: string = 'default',
        ) {}
      }
      const Tasks = reading<Context>((ctx) => [
        ctx.byProperty === ctx.mailer,
        ctx.zone,
        ctx.missing,
      ]);
      const providers = [Tasks, { provide: 'zone', useValue: 'Europe/Berlin' }];
      await expect(read({ context: Context, providers })).resolves.toEqual([
        [true, 'Europe/Berlin', 'default'],
      ]);
    });

    it('that cannot be injected fails the boot, and the message says what is missing', async () => {
      @Injectable()
      class Unknown {
        constructor(@Inject('nowhere') readonly missing: string) {}
      }
      class Undecorated {
        constructor(readonly mailer: Mailer) {}
      }
      const Tasks = reading(() => 0);
      await expect(refused({ context: Unknown, providers: [Tasks] })).resolves.toMatch(
        /context Unknown: nowhere is not a provider/,
      );
      await expect(refused({ context: Undecorated, providers: [Tasks] })).resolves.toMatch(
        /context Undecorated:.*@Injectable\(\)/,
      );
    });
  });

  describe('that a factory makes', () => {
    it('has the members of what it returned, also by a promise, and as they were', async () => {
      const client = Object.assign((path: string) => `called ${path}`, {
        get: (path: string) => `got ${path}`,
      });
      class Order {
        constructor(readonly id: number) {}
      }
      const make = (mailer: Mailer, missing?: string) => ({
        mailer,
        missing,
        client,
        Order,
        count: 0,
        next() {
          return (this.count += 1);
        },
        get twice() {
          return this.count * 2;
        },
      });
      type Made = ReturnType<typeof make>;
      const Tasks = reading<Made>((ctx) => [
        ctx.client('/a'),
        ctx.client.get('/b'),
        new ctx.Order(7) instanceof Order,
        ctx.next === ctx.next,
        [ctx.next(), ctx.next(), ctx.twice],
        ctx.missing === undefined,
      ]);
      const expected = ['called /a', 'got /b', true, true, [1, 2, 4], true];
      const inject = [Mailer, { token: 'nowhere', optional: true }];
      for (const useFactory of [make, async (mailer: Mailer) => make(mailer)]) {
        await expect(
          read({ context: { inject, useFactory }, providers: [Tasks] }),
        ).resolves.toEqual([expected]);
      }
    });

    it('fails the boot when it throws, or returns no object', async () => {
      const providers = [reading(() => 0)];
      const throws = async () => {
        throw new Error('no license');
      };
      await expect(start({ context: { useFactory: throws }, providers })).rejects.toThrow(
        'no license',
      );
      const useFactory = () => 'text' as unknown as object;
      await expect(refused({ context: { useFactory }, providers })).resolves.toMatch(
        /useFactory must return an object/,
      );
    });
  });

  describe('that is request-scoped', () => {
    @Injectable({ scope: Scope.REQUEST })
    class Unit {
      static made = 0;
      readonly number = (Unit.made += 1);
    }

    beforeEach(() => {
      Unit.made = 0;
    });

    @Injectable({ scope: Scope.REQUEST })
    class Scoped {
      #reads = 0;
      constructor(
        readonly unit: Unit,
        @Inject(REQUEST) private readonly request: TaskRequest,
      ) {}
      get reads() {
        return (this.#reads += 1);
      }
      describe() {
        return `${this.request.ctx.taskName} ${String(this.request.event.payload)}`;
      }
    }
    const ofScoped = reading<Scoped>((ctx) => [
      ctx.unit.number,
      ctx.reads,
      ctx.reads,
      ctx.describe(),
    ]);

    it.each([
      ['is a provider', [Unit, Scoped]],
      ['is none', [Unit]],
    ])('is made once for each activation where the class %s', async (_title, providers) => {
      await expect(
        read({ context: Scoped, providers: [...providers, ofScoped] }, 2),
      ).resolves.toEqual([
        [1, 1, 2, 'read 0'],
        [2, 1, 2, 'read 1'],
      ]);
    });

    it('is so because of what it injects, and shares that with the handler', async () => {
      const context = { inject: [Unit], useFactory: async (unit: Unit) => ({ unit }) };
      @Injectable()
      class Tasks {
        constructor(readonly unit: Unit) {}
        @Task('read')
        handle(_event: unknown, ctx: TaskContext<{ unit: Unit }>) {
          return [ctx.unit === this.unit, ctx.unit.number];
        }
      }
      await expect(read({ context, providers: [Unit, Tasks] }, 2)).resolves.toEqual([
        [true, 1],
        [true, 2],
      ]);
    });

    it('fails the attempt when it cannot be made', async () => {
      const useFactory = () => {
        throw new NonRetryableError('no tenant');
      };
      const providers = [Unit, reading(() => 0)];
      const { conductor } = await start({ context: { inject: [Unit], useFactory }, providers });
      await expect(conductor.invokeAndWait({ name: 'read' }, 0, soon)).rejects.toThrow('no tenant');
    });

    it('leaves nothing behind at the end or at a suspension', async () => {
      const made: WeakRef<object>[] = [];
      @Injectable({ scope: Scope.REQUEST })
      class Context {
        constructor(@Inject(REQUEST) request: TaskRequest) {
          made.push(new WeakRef(this), new WeakRef(request.ctx));
        }
        touch() {}
      }
      const Tasks = reading<Context>(async (ctx) => {
        ctx.touch();
        if (ctx.event.payload === 'sleep') await ctx.sleep('long', '30d');
      });
      const { conductor } = await start({ context: Context, providers: [Tasks] });
      await conductor.invokeAndWait({ name: 'read' }, 0, soon);
      const sleeper = await conductor.invoke({ name: 'read' }, 'sleep');
      await until(async () => (await sleeper.status()).status === 'suspended');
      expect(made).toHaveLength(4);
      await collected(made);
    });
  });

  describe('with a member that clashes', () => {
    const Tasks = reading(() => 0);
    const member = (name: string) => ({ useFactory: () => ({ [name]: 1 }) });

    it.each([
      'step',
      'sleepUntil',
      'logger',
      'executionId',
      'event',
      'fence',
      'headers',
      'uuid',
      'patched',
    ])('fails the boot because %s is built in', async (name) => {
      await expect(refused({ context: member(name), providers: [Tasks] })).resolves.toMatch(
        new RegExp(`"${name}" is a built-in member.*another name`),
      );
    });

    it.each(['invoke', 'checkpoint', 'waitForEvent', 'token'])(
      'fails the boot because %s will be built in one day',
      async (name) => {
        await expect(refused({ context: member(name), providers: [Tasks] })).resolves.toMatch(
          new RegExp(`"${name}" is reserved.*another name`),
        );
      },
    );

    it('fails the boot that lists all that its class has, inherited and accessor ones too', async () => {
      class Base {
        sleep() {}
      }
      @Injectable()
      class Clashing extends Base {
        get signal() {
          return 1;
        }
        // oxlint-disable-next-line unicorn/no-thenable -- what is to be refused
        then() {}
      }
      const message = await refused({ context: Clashing as Type<object>, providers: [Tasks] });
      for (const name of ['sleep', 'signal', 'then']) expect(message).toContain(`"${name}"`);
    });

    it('fails the boot because of a private field as well, and says that #private ones are free', async () => {
      @Injectable()
      class Clashing {
        private readonly logger = 1;
        readonly #signal = 2;
        sum() {
          return this.logger + this.#signal;
        }
      }
      const message = await refused({ context: Clashing as Type<object>, providers: [Tasks] });
      expect(message).toMatch(/"logger" is a built-in member.*#private/);
      expect(message).not.toContain('signal');
    });

    it('fails the boot also where it is request-scoped, or the worker starts later', async () => {
      @Injectable({ scope: Scope.REQUEST })
      class Scoped {
        @Inject(Mailer) readonly logger?: Mailer;
        sleep() {}
      }
      const message = await refused({ context: Scoped as Type<object>, providers: [Tasks] });
      expect(message).toContain('"logger"');
      expect(message).toContain('"sleep"');
      await expect(
        refused({ context: member('step'), autoStart: false, providers: [Tasks] }),
      ).resolves.toContain('"step"');
    });

    it('fails the attempt where only an instance shows the member', async () => {
      @Injectable({ scope: Scope.REQUEST })
      class Scoped {
        private readonly logger = 1;
        read() {
          return this.logger;
        }
      }
      const { conductor } = await start({ context: Scoped as Type<object>, providers: [Tasks] });
      await expect(conductor.invokeAndWait({ name: 'read' }, 0, soon)).rejects.toThrow(
        /"logger" is a built-in member/,
      );
    });
  });
});
