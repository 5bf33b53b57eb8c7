import { Injectable } from '@nestjs/common';
import {
  ConductorStoppedError,
  NoTasksError,
  ShuttingDownError,
  Task,
  type TaskContext,
} from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { testApps, type TestApp } from '../support/test-app.js';
import { until } from '../support/until.js';

describe('the orchestrator', () => {
  const apps = testApps();
  const { start } = apps;

  it('O1 drains chains and retries that are due, and leaves nothing runnable; an empty drain returns at once', async () => {
    const ran: string[] = [];
    @Injectable()
    class Tasks {
      app?: TestApp;
      @Task('chain')
      async chain(event: { payload: number }, ctx: TaskContext) {
        ran.push(`chain ${event.payload}`);
        if (event.payload > 0)
          await ctx.step(
            'next',
            async () =>
              void (await this.app!.conductor.invoke({ name: 'chain' }, event.payload - 1)),
          );
      }
      @Task('flaky', { retry: { backoff: { type: 'fixed', delay: 0 } } })
      flaky(_event: unknown, ctx: TaskContext) {
        ran.push(`flaky ${ctx.attempt}`);
        if (ctx.attempt < 3) throw new Error('again');
      }
      @Task('later')
      later() {
        ran.push('later');
      }
    }
    const app = await start({ providers: [Tasks], autoStart: false });
    app.app.get(Tasks).app = app;
    expect(app.orchestrator.info).toMatchObject({ isRunning: false, isStopped: true });
    await app.orchestrator.drain();
    await app.conductor.invoke({ name: 'chain' }, 3);
    await app.conductor.invoke({ name: 'flaky' });
    await app.conductor.invoke({ name: 'later' }, 0, { delay: '1h' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(ran).toEqual([]); // not started, so not claimed
    await app.orchestrator.drain();
    expect(ran.sort()).toEqual([
      'chain 0',
      'chain 1',
      'chain 2',
      'chain 3',
      'flaky 1',
      'flaky 2',
      'flaky 3',
    ]);
    expect(app.orchestrator.info).toMatchObject({ isRunning: false });
    await expect(app.conductor.list({ status: 'pending' })).resolves.toMatchObject({
      items: [{ task: 'later' }],
    });
  });

  it('G8 recovers what a worker with a far shorter lease left behind, as soon as that one asks for', async () => {
    @Injectable()
    class Tasks {
      @Task('job')
      job() {
        return 'done';
      }
    }
    const app = await start({ providers: [Tasks], autoStart: false, lease: '30s' });
    const { id } = await app.conductor.invoke({ name: 'job' });
    await apps.database.query(
      `update conductor.run set status = 1, token = gen_random_uuid(), started = true, claims = 1,
              worker_id = conductor.register_worker('elsewhere', 1, 1000, 1) where id = $1`,
      [id],
    );
    await app.orchestrator.start();
    await expect(app.conductor.handle(id).result({ timeout: '25s' })).resolves.toBe('done');
    await expect(app.conductor.get(id)).resolves.toMatchObject({ losses: 1, attempt: 1 });
  });

  it('K5 closes with work in flight: a handler ends at its next step boundary and is taken up by the next worker', async () => {
    const gate = new Gate();
    const bodies: string[] = [];
    @Injectable()
    class Tasks {
      @Task('long')
      async long(_event: unknown, ctx: TaskContext) {
        await ctx.step('first', async () => {
          bodies.push('first');
          await gate.pass();
        });
        await ctx.step('second', () => bodies.push('second'));
        return 'done';
      }
    }
    const first = await start({ providers: [Tasks] });
    const { id } = await first.conductor.invoke({ name: 'long' });
    await gate.reached;
    const closing = first.app.close();
    await until(() => first.orchestrator.info.isShuttingDown);
    gate.open();
    await closing;
    expect(bodies).toEqual(['first']);
    await expect(apps.database.query(`select * from conductor.worker`)).resolves.toEqual([]);
    await expect(first.conductor.get(id)).rejects.toBeInstanceOf(ConductorStoppedError);
    await expect(first.conductor.invoke({ name: 'long' })).rejects.toBeInstanceOf(
      ConductorStoppedError,
    );

    const second = await start({ providers: [Tasks] });
    await expect(second.conductor.handle(id).result({ timeout: '10s' })).resolves.toBe('done');
    expect(bodies).toEqual(['first', 'second']);
    await expect(second.conductor.get(id)).resolves.toMatchObject({ attempt: 1, losses: 0 });
  });

  it('K5 closes with nothing in flight, and starts again after a stop', async () => {
    @Injectable()
    class Tasks {
      @Task('quick')
      quick() {
        return 'ran';
      }
    }
    const { conductor, orchestrator, app } = await start({ providers: [Tasks] });
    await orchestrator.started;
    const firstId = orchestrator.info.id;
    await orchestrator.stop();
    await orchestrator.stopped;
    expect(orchestrator.info).toMatchObject({ isRunning: false, isStopped: true, running: 0 });
    const handle = await conductor.invoke({ name: 'quick' });
    await orchestrator.start();
    await orchestrator.start();
    await expect(handle.result({ timeout: '10s' })).resolves.toBe('ran');
    expect(orchestrator.info.id).not.toBe(firstId);
    await app.close();
    await app.close();
  });

  it('K5 leaves no timer and no socket behind, also with work that waits for a later time', async () => {
    @Injectable()
    class Tasks {
      @Task('sleeper', { timeout: '1h' })
      async sleeper(_event: unknown, ctx: TaskContext) {
        await ctx.sleep('long', '1d');
      }
      @Task('later', { timeout: '1h', retry: { backoff: { type: 'fixed', delay: '1h' } } })
      async later(event: { payload: unknown }) {
        if (event.payload === 'gated') await gate.pass();
        throw new Error('again in an hour');
      }
    }
    const gate = new Gate();
    const handles = () =>
      process
        .getActiveResourcesInfo()
        .filter((kind) => /Timeout|TCP|Immediate/.test(kind))
        .sort();
    await apps.database.query('select 1'); // the test's own connection is not the app's
    const before = handles();
    const { conductor, orchestrator, app } = await start({ providers: [Tasks] });
    const [sleeper, later] = [
      await conductor.invoke({ name: 'sleeper' }),
      await conductor.invoke({ name: 'later' }),
    ];
    await conductor.invoke({ name: 'later' }, 0, { delay: '2h' });
    await until(
      async () =>
        (await sleeper.status()).status === 'suspended' && (await later.status()).attempt === 2,
    );
    // one that fails while the app closes: its retry is no reason to stay
    await conductor.invoke({ name: 'later' }, 'gated');
    await gate.reached;
    const closing = app.close();
    await until(() => orchestrator.info.isShuttingDown);
    gate.open();
    await closing;
    // fewer are none of the app's: the test's own pool lets go of what is idle
    const left = () => {
      const others = [...before];
      return handles().filter((kind) => {
        const index = others.indexOf(kind);
        if (index !== -1) others.splice(index, 1);
        return index === -1;
      });
    };
    await until(() => left().length === 0, 2_000).catch(() => undefined);
    expect(left()).toEqual([]);
  });

  it('O1 keeps to what was asked for: drain() leaves a worker running that was started meanwhile; started and stopped resolve', async () => {
    const gate = new Gate();
    @Injectable()
    class Tasks {
      @Task('gated')
      async gated() {
        await gate.pass();
      }
    }
    const { conductor, orchestrator } = await start({ providers: [Tasks], autoStart: false });
    const { started } = orchestrator;
    await orchestrator.stop();
    await conductor.invoke({ name: 'gated' });
    const drained = orchestrator.drain();
    await gate.reached;
    await started;
    const { stopped } = orchestrator;
    await orchestrator.start();
    gate.open();
    await drained;
    expect(orchestrator.info.isRunning).toBe(true);
    await orchestrator.stop();
    await stopped;
  });

  it('K5 aborts the signal at the soft deadline, and gives the attempt back when the handler obeys', async () => {
    let reason: unknown;
    const reached = new Gate();
    @Injectable()
    class Tasks {
      @Task('stubborn')
      async stubborn(_event: unknown, ctx: TaskContext) {
        if (ctx.signal.aborted) throw new Error('aborted before it began');
        void reached.pass();
        await new Promise((_, reject) => {
          ctx.signal.addEventListener('abort', () => {
            reason = ctx.signal.reason;
            reject(new Error('I obey'));
          });
        });
      }
    }
    const { conductor, app } = await start({
      providers: [Tasks],
      shutdown: { soft: 20, hard: '20s' },
    });
    const { id } = await conductor.invoke({ name: 'stubborn' });
    await reached.reached;
    await app.close();
    expect(reason).toBeInstanceOf(ShuttingDownError);
    await expect(
      apps.database.query(`select status, failures, losses from conductor.run where id = $1`, [id]),
    ).resolves.toEqual([{ status: 0, failures: 0, losses: 0 }]);
  });

  it('leaves a handler behind at the hard deadline: it is not released, and its late result is refused', async () => {
    const gate = new Gate();
    @Injectable()
    class Tasks {
      @Task('deaf')
      async deaf() {
        await gate.pass();
        return 'too late';
      }
    }
    const { conductor, app } = await start({
      providers: [Tasks],
      shutdown: { soft: 10, hard: 50 },
    });
    const { id } = await conductor.invoke({ name: 'deaf' });
    await gate.reached;
    await app.close();
    gate.open();
    await new Promise((resolve) => setImmediate(resolve));
    await expect(
      apps.database.query(`select status from conductor.run where id = $1`, [id]),
    ).resolves.toEqual([{ status: 1 }]);
    await expect(apps.database.query(`select stopping from conductor.worker`)).resolves.toEqual([
      { stopping: true },
    ]);
    await expect(apps.database.query(`select 1 from conductor.outcome`)).resolves.toEqual([]);
  });

  it('refuses to boot as a worker without a task', async () => {
    await expect(start({ role: 'worker' })).rejects.toBeInstanceOf(NoTasksError);
  });

  it('finds work without LISTEN, by its heartbeat alone', async () => {
    @Injectable()
    class Tasks {
      @Task('polled')
      polled() {
        return 'found';
      }
    }
    await start({ role: 'worker', providers: [Tasks], listen: false });
    const { conductor } = await start({ role: 'client' });
    await expect(conductor.invokeAndWait({ name: 'polled' }, 0, { timeout: '10s' })).resolves.toBe(
      'found',
    );
  });
});
