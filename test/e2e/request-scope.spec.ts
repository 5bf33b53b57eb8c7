import {
  Controller,
  Inject,
  Injectable,
  Module,
  Scope,
  type LoggerService,
  type Provider,
} from '@nestjs/common';
import { REQUEST } from '@nestjs/core';
import { NonRetryableError, Step, Task, TaskContext, TaskRequest } from '../../lib/index.js';
import { collected } from '../support/garbage.js';
import { Gate } from '../support/gate.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

const soon = { timeout: '20s' } as const;
const atOnce = { retry: { maxAttempts: 3, backoff: { type: 'fixed', delay: 1 } } } as const;

/** Numbers its instances. */
@Injectable({ scope: Scope.REQUEST })
class Unit {
  static made = 0;
  readonly number = (Unit.made += 1);
}

describe('a handler that is not a singleton', () => {
  const { start } = testApps('all');

  beforeEach(() => {
    Unit.made = 0;
  });

  it('O4 is made for each activation with what it injects, one instance of each within an activation', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Repository {
      constructor(readonly unit: Unit) {}
    }
    @Injectable()
    class Orders {
      constructor(
        readonly unit: Unit,
        readonly repository: Repository,
      ) {}
      @Task('units')
      handle() {
        return [this.unit.number, this.repository.unit.number];
      }
    }
    const { conductor } = await start({ providers: [Unit, Repository, Orders] });
    await expect(conductor.invokeAndWait({ name: 'units' }, 0, soon)).resolves.toEqual([1, 1]);
    await expect(conductor.invokeAndWait({ name: 'units' }, 0, soon)).resolves.toEqual([2, 2]);
  });

  it('keeps activations that run side by side apart', async () => {
    const gate = new Gate();
    const both = new Gate();
    let waiting = 0;
    @Injectable({ scope: Scope.REQUEST })
    class Tasks {
      constructor(readonly unit: Unit) {}
      @Task('side by side')
      async handle() {
        if ((waiting += 1) === 2) void both.pass();
        await gate.pass();
        return this.unit.number;
      }
    }
    const { conductor } = await start({ providers: [Unit, Tasks] });
    const task = { name: 'side by side' };
    const results = [0, 0].map(() => conductor.invokeAndWait(task, 0, soon));
    await both.reached;
    gate.open();
    expect(new Set(await Promise.all(results))).toEqual(new Set([1, 2]));
  });

  it('O4 may be a controller, of a module of its own, or durable, or transient', async () => {
    @Controller({ path: 'orders', scope: Scope.REQUEST })
    class Orders {
      constructor(readonly unit: Unit) {}
      @Task('controller')
      handle() {
        return this.unit.number;
      }
    }
    @Module({ controllers: [Orders], providers: [Unit] })
    class OrdersModule {}
    @Injectable({ scope: Scope.REQUEST, durable: true })
    class Durable {
      readonly number = (Unit.made += 1);
      @Task('durable')
      handle() {
        return this.number;
      }
    }
    @Injectable({ scope: Scope.TRANSIENT })
    class Transient {
      readonly number = (Unit.made += 1);
      @Task('transient')
      handle() {
        return this.number;
      }
    }
    const { conductor } = await start({ modules: [OrdersModule], providers: [Durable, Transient] });
    let made = 0;
    for (const name of ['controller', 'durable', 'transient', 'controller', 'durable', 'transient'])
      await expect(conductor.invokeAndWait({ name }, 0, soon)).resolves.toBe((made += 1));
  });

  it('gets what it serves by @Inject(REQUEST), as does everything it injects', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Audit {
      constructor(@Inject(REQUEST) readonly request: TaskRequest<{ customer: string }>) {}
      get line() {
        const { event, ctx } = this.request;
        return `${event.payload.customer} ${ctx.taskName} ${ctx.attempt} ${ctx.executionId}`;
      }
    }
    @Injectable()
    class Tasks {
      constructor(readonly audit: Audit) {}
      @Task('audited')
      handle(event: unknown, ctx: TaskContext) {
        const { request } = this.audit;
        return [
          request instanceof TaskRequest && request.event === event && request.ctx === ctx,
          this.audit.line,
        ];
      }
    }
    const { conductor } = await start({ providers: [Audit, Tasks] });
    const { id } = await conductor.invoke({ name: 'audited' }, { customer: 'Ada' });
    await expect(conductor.handle(id).result(soon)).resolves.toEqual([true, `Ada audited 1 ${id}`]);
  });

  it('S4 runs @Step methods of request-scoped providers once, over attempts, sleeps and all instances', async () => {
    const ran: string[] = [];
    const instances = new Set<unknown>();
    @Injectable({ scope: Scope.REQUEST })
    class Steps {
      @Step()
      async load(id: string) {
        instances.add(this);
        ran.push(id);
        return `loaded ${id}`;
      }
      async both() {
        return [await this.load('self'), await this.load('again')];
      }
    }
    @Injectable()
    class Service {
      constructor(readonly steps: Steps) {}
    }
    @Injectable({ scope: Scope.TRANSIENT })
    class Other extends Steps {}
    @Injectable()
    class Tasks {
      constructor(
        readonly service: Service,
        readonly other: Other,
      ) {}
      @Task('steps of a scope', atOnce)
      async handle(_event: unknown, ctx: TaskContext) {
        const loaded = [await this.service.steps.load('a'), await this.other.load('b')];
        await ctx.sleep('nap', 1);
        if (ctx.attempt === 1) throw new Error('again');
        return [...loaded, ...(await this.service.steps.both())];
      }
    }
    const { conductor } = await start({ providers: [Steps, Service, Other, Tasks] });
    const { id } = await conductor.invoke({ name: 'steps of a scope' });
    await expect(conductor.handle(id).result(soon)).resolves.toEqual([
      'loaded a',
      'loaded b',
      'loaded self',
      'loaded again',
    ]);
    expect(ran).toEqual(['a', 'b', 'self', 'again']);
    expect(instances.size).toBe(3);
    const steps = await conductor.steps(id);
    expect(steps.filter(({ kind }) => kind === 'step').map(({ name }) => name)).toEqual([
      'Steps.load',
      'Steps.load#2',
      'Steps.load#3',
      'Steps.load#4',
    ]);
  });

  it('fails the attempt, and not the worker, when it cannot be made', async () => {
    let tries = 0;
    @Injectable({ scope: Scope.REQUEST })
    class Connection {
      constructor() {
        if ((tries += 1) < 3) throw new Error(`refused ${tries}`);
      }
    }
    @Injectable()
    class Tasks {
      constructor(readonly connection: Connection) {}
      @Task('flaky', atOnce)
      handle(_event: unknown, ctx: TaskContext) {
        return ctx.attempt;
      }
    }
    @Injectable({ scope: Scope.REQUEST })
    class Hopeless {
      constructor() {
        throw new NonRetryableError('never');
      }
      @Task('hopeless', atOnce)
      handle() {}
    }
    const asynchronous: Provider = {
      provide: 'session',
      scope: Scope.REQUEST,
      useFactory: async () => {
        throw new Error('no session');
      },
    };
    @Injectable()
    class Sessions {
      constructor(@Inject('session') readonly session: unknown) {}
      @Task('session', atOnce)
      handle() {}
    }
    const { conductor } = await start({
      providers: [Connection, Tasks, Hopeless, asynchronous, Sessions],
      queues: { default: { concurrency: 1 } },
    });
    const hopeless = await conductor.invoke({ name: 'hopeless' });
    await expect(hopeless.result(soon)).rejects.toMatchObject({ message: /never/ });
    await expect(conductor.get(hopeless.id)).resolves.toMatchObject({ attempt: 1 });
    const session = await conductor.invoke({ name: 'session' });
    await expect(session.result(soon)).rejects.toMatchObject({ message: /no session/ });
    await expect(conductor.get(session.id)).resolves.toMatchObject({ attempt: 3 });
    await expect(conductor.invokeAndWait({ name: 'flaky' }, 0, soon)).resolves.toBe(3);
  });

  it('leaves nothing behind at its end, at a failure and at a suspension', async () => {
    const made: WeakRef<object>[] = [];
    const warnings: unknown[] = [];
    @Injectable({ scope: Scope.REQUEST })
    class Session {
      readonly buffer = new Uint8Array(100_000);
      constructor(@Inject(REQUEST) request: TaskRequest) {
        made.push(new WeakRef(this), new WeakRef(request), new WeakRef(request.ctx));
      }
    }
    @Injectable()
    class Tasks {
      constructor(readonly session: Session) {
        made.push(new WeakRef(this));
      }
      @Task('ends', atOnce)
      async handle(event: { payload: string }, ctx: TaskContext) {
        await ctx.step('one', async () => this.session.buffer.length);
        if (event.payload === 'suspends') await ctx.sleep('long', '30d');
        if (event.payload === 'fails') throw new NonRetryableError('no');
        return this.session.buffer.length;
      }
    }
    const logger = { warn: (...args: unknown[]) => void warnings.push(args) };
    const { conductor } = await start({
      providers: [Session, Tasks],
      logger: { ...silent, ...logger },
    });
    const [ends, fails, suspends] = await conductor.invokeMany({ name: 'ends' }, [
      { payload: 'ends' },
      { payload: 'fails' },
      { payload: 'suspends' },
    ]);
    await ends!.result(soon);
    await fails!.result(soon).catch(() => undefined);
    await until(async () => (await suspends!.status()).status === 'suspended');
    expect(made).toHaveLength(12);
    await collected(made);
    expect(warnings).toEqual([]);
  });
});

const silent: LoggerService = { log() {}, error() {}, warn() {} };
