import { Injectable, Module, type BeforeApplicationShutdown } from '@nestjs/common';
import {
  ConductorStoppedError,
  DatabaseUnavailableError,
  Orchestrator,
  ShuttingDownError,
  Task,
  type TaskContext,
} from '../../lib/index.js';
import { Proxy } from '../hazards/harness/proxy.js';
import { Gate } from '../support/gate.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

describe('a shutdown', () => {
  const apps = testApps();
  const { start } = apps;

  const row = async (id: string) => {
    const [run] = await apps.database.query(
      'select status, failures, losses, claims from conductor.run where id = $1',
      [id],
    );
    return run;
  };

  it('stops claiming with its first hook, before what others of the app do in theirs', async () => {
    let atTheirHook: unknown;
    @Injectable()
    class Slow implements BeforeApplicationShutdown {
      constructor(private readonly orchestrator: Orchestrator) {}
      async beforeApplicationShutdown() {
        await this.orchestrator.stopped; // as long as they like
        atTheirHook = this.orchestrator.info;
      }
    }
    @Module({ providers: [Slow] })
    class Other {}
    @Injectable()
    class Tasks {
      @Task('quick')
      quick() {}
    }
    const { app } = await start({ providers: [Tasks], modules: [Other] });
    await app.close();
    expect(atTheirHook).toMatchObject({ isStopped: true });
  });

  it('begins nothing any more that its last claim brings, and gives it back', async () => {
    const ran: number[] = [];
    @Injectable()
    class Tasks {
      @Task('quick')
      quick(_event: unknown, ctx: TaskContext) {
        ran.push(ctx.fence);
      }
    }
    let claims = 0;
    const proxy = new Proxy(apps.database.url, {
      judge: ({ kind }) => {
        if (kind === 'claim') claims += 1;
        return 'pass';
      },
    });
    apps.keep(proxy);
    const first = await start({ url: proxy.url, providers: [Tasks], autoStart: false });
    const { id } = await first.conductor.invoke({ name: 'quick' });
    let closing: Promise<void> | undefined;
    await apps.database.whileLocked('conductor.execution', async () => {
      await first.orchestrator.start(); // its claim waits for the lock
      await until(() => claims > 0);
      closing = first.app.close();
      await until(() => first.orchestrator.info.isShuttingDown);
    });
    await closing;
    expect(ran).toEqual([]);
    await expect(row(id)).resolves.toEqual({ status: 0, failures: 0, losses: 0, claims: 1 });
  });

  it('takes what a step throws after the soft deadline for obedience, not for its failure', async () => {
    const begun = new Gate();
    const seen: unknown[] = [];
    let obeys = true;
    @Injectable()
    class Tasks {
      @Task('obedient')
      async obedient(_event: unknown, ctx: TaskContext) {
        try {
          return await ctx.step('download', async () => {
            void begun.pass();
            if (!obeys) return 'downloaded';
            const { signal } = ctx;
            await new Promise((_, reject) =>
              signal.addEventListener('abort', () => reject(signal.reason as Error)),
            );
          });
        } catch (error) {
          seen.push(error);
          return 'made do without'; // for ever, for the sake of a deploy
        }
      }
    }
    const first = await start({ providers: [Tasks], shutdown: { soft: 10, hard: '20s' } });
    const { id } = await first.conductor.invoke({ name: 'obedient' });
    await begun.reached;
    await first.app.close();
    // a claim that was in flight at the stop may have brought it again, and given it back
    await expect(row(id)).resolves.toMatchObject({ status: 0, failures: 0, losses: 0 });
    obeys = false;
    const second = await start({ providers: [Tasks] });
    await expect(second.conductor.handle(id).result({ timeout: '10s' })).resolves.toBe(
      'downloaded',
    );
    expect(seen).toEqual([]);
  });

  it('K4 leaves a handler behind that ignores its signal: not released, run again elsewhere once, its late result refused', async () => {
    const gates = [new Gate(), new Gate()];
    const late: unknown[] = [];
    const begun: number[] = [];
    @Injectable()
    class Tasks {
      @Task('deaf')
      async deaf(_event: unknown, ctx: TaskContext) {
        begun.push(ctx.fence);
        await gates[ctx.fence - 1]!.pass();
        await ctx.step('after', () => undefined).catch((error: unknown) => late.push(error));
        return ctx.fence;
      }
    }
    const options = { providers: [Tasks], lease: '1s', shutdown: { soft: 10, hard: 50 } };
    const first = await start(options);
    const { id } = await first.conductor.invoke({ name: 'deaf' });
    await gates[0]!.reached;
    await first.orchestrator.stop(); // by hand: the app lives on, and its connections
    expect(await row(id)).toMatchObject({ status: 1, claims: 1 });
    const second = await start(options);
    await gates[1]!.reached;
    gates[0]!.open();
    await until(() => late.length > 0);
    expect(late).toEqual([expect.any(ShuttingDownError)]);
    await until(() => first.orchestrator.info.running === 0);
    expect(await row(id)).toMatchObject({ status: 1, claims: 2, losses: 0 });
    gates[1]!.open();
    await expect(second.conductor.handle(id).result({ timeout: '10s' })).resolves.toBe(2);
    expect(begun).toEqual([1, 2]);
  });

  it('refuses to start once the app is being closed', async () => {
    const gate = new Gate();
    @Injectable()
    class Tasks {
      @Task('held')
      async held() {
        await gate.pass();
      }
    }
    const { app, conductor, orchestrator } = await start({ providers: [Tasks] });
    await conductor.invoke({ name: 'held' });
    await gate.reached;
    const closing = app.close();
    await until(() => orchestrator.info.isShuttingDown);
    await expect(orchestrator.start()).rejects.toBeInstanceOf(ConductorStoppedError);
    await expect(orchestrator.drain()).rejects.toBeInstanceOf(ConductorStoppedError);
    gate.open();
    await closing;
    await expect(apps.database.query('select * from conductor.worker')).resolves.toEqual([]);
  });

  it('ends a start that is under way and cannot come to its end', async () => {
    let registered = 0;
    const proxy = new Proxy(apps.database.url, {
      judge: ({ kind }) => {
        if (kind !== 'register_worker') return 'pass';
        registered += 1;
        return 'cutBeforeReply';
      },
    });
    apps.keep(proxy);
    @Injectable()
    class Tasks {
      @Task('quick')
      quick() {}
    }
    const { orchestrator } = await start({
      url: proxy.url,
      providers: [Tasks],
      autoStart: false,
    });
    const starting = orchestrator.start().catch((error: unknown) => error);
    await until(() => registered > 1);
    await orchestrator.stop();
    await expect(starting).resolves.toBeInstanceOf(DatabaseUnavailableError);
  });

  it('is not held up by a start that looks for its database', async () => {
    let asked = 0;
    const proxy = new Proxy(apps.database.url, {
      judge: ({ kind }) => {
        if (kind !== 'resolve_tasks') return 'pass';
        asked += 1;
        return 'hold';
      },
    });
    apps.keep(proxy);
    @Injectable()
    class Tasks {
      @Task('quick')
      quick() {}
    }
    const { app, orchestrator } = await start({
      url: proxy.url,
      providers: [Tasks],
      autoStart: false,
      shutdown: { soft: 10, hard: 50 },
    });
    const starting = orchestrator.start().catch((error: unknown) => error);
    await until(() => asked > 0);
    let closed = false;
    void app.close().then(() => (closed = true));
    await expect(until(() => closed, 8_000)).resolves.toBe(true);
    await expect(starting).resolves.toBeInstanceOf(ConductorStoppedError);
  });

  it('K5 ends an invoke that goes on trying while the database is away', async () => {
    const proxy = new Proxy(apps.database.url);
    const { app, conductor } = await start({ url: proxy.url, role: 'client' });
    await conductor.invoke({ name: 'before' });
    await proxy.close();
    const invoking = conductor.invoke({ name: 'before' }).catch((error: unknown) => error);
    await app.close();
    await expect(invoking).resolves.toBeInstanceOf(ConductorStoppedError);
  });

  it('K5 cuts connections whose other end is silent', async () => {
    const proxy = new Proxy(apps.database.url, {
      judge: ({ kind }) => (kind === 'enqueue' ? 'hold' : 'pass'),
    });
    apps.keep(proxy);
    const { app, conductor } = await start({ url: proxy.url, role: 'client' });
    const invoking = conductor.invoke({ name: 'unheard' }).catch((error: unknown) => error);
    await until(() => proxy.halfOpen > 0);
    let closed = false;
    void app.close().then(() => (closed = true));
    // by itself the statement would be given up after 15 s
    await expect(until(() => closed, 8_000)).resolves.toBe(true);
    await expect(invoking).resolves.toBeInstanceOf(ConductorStoppedError);
  });
});
