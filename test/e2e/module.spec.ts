import { Controller, Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { DataSource } from 'typeorm';
import { TypeOrmModule } from '@nestjs/typeorm';
import {
  Conductor,
  ConductorModule,
  DuplicateTaskError,
  InvalidOptionsError,
  InvalidTaskError,
  Step,
  Task,
  type ConductorModuleOptions,
  type ConductorOptionsFactory,
  type TaskContext,
} from '../../lib/index.js';
import { testApps } from '../support/test-app.js';

@Injectable()
class EchoTasks {
  @Task('echo')
  echo(event: { payload: unknown }) {
    return event.payload;
  }
}

describe('ConductorModule', () => {
  const apps = testApps('all');
  const { start } = apps;

  it('finds handlers on controllers as well as on providers', async () => {
    @Controller()
    class Orders {
      readonly greeting = 'hello';
      @Task('from-controller')
      handle() {
        return this.greeting;
      }
    }
    const { conductor } = await start({ controllers: [Orders] });
    await expect(
      conductor.invokeAndWait({ name: 'from-controller' }, 0, { timeout: '20s' }),
    ).resolves.toBe('hello');
  });

  it('honours what an app lays over a handler after the boot', async () => {
    const { conductor, app } = await start({ providers: [EchoTasks] });
    app.get(EchoTasks).echo = () => 'laid over';
    await expect(conductor.invokeAndWait({ name: 'echo' }, 1, { timeout: '20s' })).resolves.toBe(
      'laid over',
    );
  });

  it('refuses handlers that cannot work, all at once, and says what to do', async () => {
    @Injectable()
    class Unnamed {
      @Task('')
      handle() {}
    }
    @Injectable()
    class Both {
      @Step()
      @Task('both')
      async handle() {}
    }
    const refused = await start({ providers: [Unnamed, Both] }).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InvalidTaskError);
    const { message } = refused as Error;
    expect(message).toMatch(/Unnamed\.handle.*must not be empty/);
    expect(message).toMatch(/Both\.handle.*@Step/);
  });

  it('X3 takes two instances of one class for two handlers, and says where they are', async () => {
    @Module({ providers: [EchoTasks] })
    class First {}
    @Module({ providers: [EchoTasks] })
    class Second {}
    const boot = start({ modules: [First, Second] });
    await expect(boot).rejects.toBeInstanceOf(DuplicateTaskError);
    await expect(boot).rejects.toThrow(/First.*Second/);
  });

  it('refuses decorators where they cannot stand', () => {
    expect(() => {
      class Static {
        @Step()
        static async step() {}
      }
      return Static;
    }).toThrow(InvalidTaskError);
    expect(() => {
      class Twice {
        @Task('one')
        @Task('two')
        handle() {}
      }
      return Twice;
    }).toThrow(/Twice\.handle/);
    expect(() => {
      class BadOptions {
        @Step({ retry: { maxAttempts: 0 } })
        async handle() {}
      }
      return BadOptions;
    }).toThrow(/BadOptions\.handle/);
  });

  it('keeps what decorators below @Step have left, and the method’s name and length', async () => {
    const Mark: MethodDecorator = (_target, _key, descriptor) =>
      Reflect.defineMetadata('mark', 'left', descriptor.value as object);
    class Steps {
      @Step()
      @Mark
      async load(id: string, more: number) {
        return `${id}${more}`;
      }
    }
    const load = Object.getOwnPropertyDescriptor(Steps.prototype, 'load')!.value as () => unknown;
    expect([load.name, load.length, Reflect.getMetadata('mark', load)]).toEqual([
      'load',
      2,
      'left',
    ]);
    await expect(new Steps().load('a', 1)).resolves.toBe('a1');
  });

  it('takes its options from a factory, from a class, and from a provider of another module', async () => {
    const options = (): ConductorModuleOptions => ({
      connection: { url: apps.database.url },
      schema: 'async_forms',
      autoStart: false,
    });
    @Injectable()
    class OptionsClass implements ConductorOptionsFactory {
      createConductorOptions() {
        return options();
      }
    }
    @Module({ providers: [OptionsClass], exports: [OptionsClass] })
    class OptionsModule {}
    const forms = [
      ConductorModule.forRootAsync({
        imports: [OptionsModule],
        inject: [OptionsClass],
        useFactory: (made: OptionsClass) => made.createConductorOptions(),
      }),
      ConductorModule.forRootAsync({ useClass: OptionsClass }),
      ConductorModule.forRootAsync({ imports: [OptionsModule], useExisting: OptionsClass }),
    ];
    for (const form of forms) {
      const module = await Test.createTestingModule({
        imports: [form],
        providers: [EchoTasks],
      }).compile();
      await module.init();
      apps.keep(module);
      await expect(module.get(Conductor).invoke({ name: 'echo' }, 1)).resolves.toMatchObject({
        outcome: 'created',
      });
    }
  });

  it('connects to where the app’s own DataSource does, and never shows it its entities', async () => {
    const typeorm = TypeOrmModule.forRoot({
      type: 'postgres',
      url: apps.database.url,
      synchronize: true,
      dropSchema: true,
      entities: [],
    });
    const module = await Test.createTestingModule({
      imports: [typeorm, ConductorModule.forRoot({ connection: { dataSource: 'default' } })],
      providers: [EchoTasks],
    }).compile();
    await module.init();
    apps.keep(module);
    const conductor = module.get(Conductor);
    await expect(
      conductor.invokeAndWait({ name: 'echo' }, 'shared', { timeout: '20s' }),
    ).resolves.toBe('shared');
    expect(module.get(DataSource).entityMetadatas).toEqual([]);
    const lost = Test.createTestingModule({
      imports: [ConductorModule.forRoot({ connection: { dataSource: 'other' } })],
    })
      .compile()
      .then((other) => other.init());
    await expect(lost).rejects.toBeInstanceOf(InvalidOptionsError);
  });

  it('builds a custom context by a factory, with its getters and private fields alive', async () => {
    class Counter {
      #count = 0;
      next() {
        return (this.#count += 1);
      }
    }
    class Base {
      get inherited() {
        return 'inherited';
      }
    }
    class Context extends Base {
      #secret = 'kept';
      constructor(private readonly counter: Counter) {
        super();
      }
      get counted() {
        return this.counter.next();
      }
      reveal() {
        return this.#secret;
      }
    }
    @Injectable()
    class Tasks {
      @Task('with-context')
      async handle(_event: unknown, ctx: TaskContext<Context>) {
        return [ctx.counted, ctx.counted, ctx.reveal(), ctx.inherited, ctx.attempt];
      }
    }
    const { conductor } = await start({
      providers: [Tasks, Counter],
      context: { inject: [Counter], useFactory: async (counter: Counter) => new Context(counter) },
    });
    await expect(
      conductor.invokeAndWait({ name: 'with-context' }, 0, { timeout: '20s' }),
    ).resolves.toEqual([1, 2, 'kept', 'inherited', 1]);
    await expect(
      start({ providers: [Tasks], context: { inject: ['nowhere'], useFactory: () => ({}) } }),
    ).rejects.toThrow(/context\.inject.*nowhere/);
  });

  it('gives every handler a logger that names its execution and attempt', async () => {
    const lines: unknown[][] = [];
    const note = (...args: unknown[]) => void lines.push(args);
    @Injectable()
    class Tasks {
      @Task('logs')
      async handle(_event: unknown, ctx: TaskContext) {
        ctx.logger.info('Processing order', { orderId: '123' });
        ctx.logger.error('Failed to process', new Error('no'));
        ctx.logger.debug('detail');
        ctx.logger.warn('careful');
        return ctx.executionId;
      }
    }
    const { conductor } = await start({
      providers: [Tasks],
      logger: { log: note, error: note, warn: note, debug: note },
    });
    const id = await conductor.invokeAndWait({ name: 'logs' }, 0, { timeout: '20s' });
    const own = lines.filter((line) => String(line.at(-1)).includes(String(id)));
    expect(own.map(([message]) => message)).toEqual([
      'Processing order',
      'Failed to process',
      'detail',
      'careful',
    ]);
    expect(own[0]).toEqual([
      'Processing order',
      { orderId: '123' },
      expect.stringMatching(/logs.*default.*attempt 1/),
    ]);
  });
});
