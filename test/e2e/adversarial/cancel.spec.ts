import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Injectable, Scope } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { IsInt } from 'class-validator';
import type { EntityManager } from 'typeorm';
import {
  defineTask,
  Step,
  Task,
  type CancelAnswer,
  type ExecutionHandle,
  type TaskContext,
  type TaskEvent,
} from '../../../lib/index.js';
import { Gate } from '../../support/gate.js';
import { testApps } from '../../support/test-app.js';
import { until } from '../../support/until.js';

const run = promisify(execFile);
const atOnce = { type: 'fixed', delay: 1 } as const;
const isIn = (status: string, handle: ExecutionHandle) =>
  until(async () => (await handle.status()).status === status);

class Amount {
  @IsInt()
  cents!: number;
}

describe('programs with cancellation that nobody had in mind', () => {
  const apps = testApps();
  const { start } = apps;

  it('cancels itself: told so by its own step, it ends when it next throws', async () => {
    let answer: CancelAnswer | undefined;
    @Injectable()
    class Tasks {
      @Task('suicidal')
      async suicidal(_event: unknown, ctx: TaskContext) {
        answer = await ctx.step('end', () =>
          conductor.cancel(ctx.executionId, { reason: 'I quit' }),
        );
        await once(ctx.signal, 'abort');
        await ctx.step('never', () => 1);
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'suicidal' });
    await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({ reason: 'I quit' });
    expect(answer).toBe('requested');
  });

  it('is cancelled by a hundred at once: all are answered the same, or come too late', async () => {
    const gate = new Gate();
    @Injectable()
    class Tasks {
      @Task('wanted')
      async wanted(_event: unknown, ctx: TaskContext) {
        void gate.pass();
        await once(ctx.signal, 'abort');
        ctx.signal.throwIfAborted();
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const running = await conductor.invoke({ name: 'wanted' });
    const waiting = await conductor.invoke({ name: 'nobody' });
    await gate.reached;
    const all = (handle: ExecutionHandle) =>
      Promise.all(Array.from({ length: 100 }, (_, i) => handle.cancel({ reason: `${i}` })));
    const pending = await all(waiting);
    expect(pending.filter((answer) => answer === 'cancelled')).toHaveLength(1);
    expect(new Set(pending)).toEqual(new Set(['cancelled', 'too-late']));
    expect(new Set(await all(running))).not.toContain('cancelled');
    await isIn('cancelled', running);
    const { cancelReason } = await running.status();
    expect(Number(cancelReason)).toBeLessThan(100);
    await expect(running.result()).rejects.toMatchObject({ reason: cancelReason });
  });

  it('swallows what it is told, goes on to a step and to a sleep, and cannot: only its result counts', async () => {
    const gate = new Gate();
    const ran: string[] = [];
    @Injectable()
    class Tasks {
      @Task('deaf')
      async deaf(_event: unknown, ctx: TaskContext) {
        void gate.pass();
        await once(ctx.signal, 'abort');
        for (let i = 0; i < 5; i += 1) {
          await ctx.step(`step ${i}`, () => ran.push('step')).catch(() => undefined);
          await ctx.sleep(`sleep ${i}`, '30d').catch(() => undefined);
          await ctx.transaction(`tx ${i}`, () => ran.push('tx')).catch(() => undefined);
        }
        return 'deaf';
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'deaf' });
    await gate.reached;
    await handle.cancel();
    await expect(handle.result({ timeout: '20s' })).resolves.toBe('deaf');
    expect(ran).toEqual([]);
    await expect(conductor.steps(handle.id)).resolves.toEqual([]);
  });

  it('K1 is killed with SIGKILL between the request and the end: cancelled by whoever recovers it, not run again', async () => {
    const client = await start({ role: 'client' });
    const handle = await client.conductor.invoke({ name: 'doomed' });
    const killed = run(process.execPath, [
      '--import',
      '@swc-node/register/esm-register',
      fileURLToPath(new URL('../../fixtures/killed-when-cancelled.ts', import.meta.url)),
      apps.database.url,
    ]).catch((error: { signal?: string }) => error);
    await isIn('running', handle);
    await expect(handle.cancel({ reason: 'last words' })).resolves.toBe('requested');
    await expect(killed).resolves.toMatchObject({ signal: 'SIGKILL' });
    await expect(handle.status()).resolves.toMatchObject({
      status: 'running',
      cancelReason: 'last words',
    });
    let ran = 0;
    @Injectable()
    class Tasks {
      @Task('doomed')
      doomed() {
        ran += 1;
      }
    }
    await start({ providers: [Tasks], lease: '1s' });
    await expect(handle.result({ timeout: '30s' })).rejects.toMatchObject({ reason: 'last words' });
    await expect(handle.status()).resolves.toMatchObject({ attempt: 1, losses: 1 });
    expect(ran).toBe(0);
  }, 120_000);

  it('shuts down while what it runs is cancelled: given back, it is cancelled, and nobody takes it up', async () => {
    const gate = new Gate();
    @Injectable()
    class Tasks {
      @Task('slow')
      async slow(_event: unknown, ctx: TaskContext) {
        await ctx.step('first', () => gate.pass());
        await ctx.step('second', () => 2);
      }
    }
    const first = await start({ providers: [Tasks] });
    const handle = await first.conductor.invoke({ name: 'slow' });
    await gate.reached;
    const stopped = first.orchestrator.stop();
    await expect(handle.cancel({ reason: 'both' })).resolves.toBe('requested');
    gate.open();
    await stopped;
    await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({ reason: 'both' });
    await first.orchestrator.start();
    await first.orchestrator.drain();
    await expect(handle.status()).resolves.toMatchObject({ status: 'cancelled', attempt: 1 });
  });

  it('runs out of its time, or reaches its deadline, after the request: cancelled, not failed and not tried again', async () => {
    const begun = { timeout: new Gate(), deadline: new Gate() };
    let attempts = 0;
    @Injectable()
    class Tasks {
      @Task('late', { timeout: '1500ms', retry: { maxAttempts: 5, backoff: atOnce } })
      async late({ payload }: { payload: 'timeout' | 'deadline' }, ctx: TaskContext) {
        attempts += 1;
        void begun[payload].pass();
        await once(ctx.signal, 'abort');
        await new Promise((resolve) => setTimeout(resolve, 2_000)); // hears nothing until its time is over
        throw new Error('late');
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const timed = await conductor.invoke({ name: 'late' }, 'timeout');
    const dead = await conductor.invoke({ name: 'late' }, 'deadline', { deadline: '1200ms' });
    for (const [gate, handle] of [
      [begun.timeout, timed],
      [begun.deadline, dead],
    ] as const) {
      await gate.reached;
      await expect(handle.cancel({ reason: 'anyway' })).resolves.toBe('requested');
    }
    for (const handle of [timed, dead])
      await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({ reason: 'anyway' });
    expect(attempts).toBe(2);
  });

  it('rolls back the transactional step that obeys, and keeps the one that was committed', async () => {
    const gate = new Gate();
    @Injectable()
    class Steps {
      @Step({ transactional: true })
      async pay(what: string, em?: EntityManager) {
        await em?.query('select 1');
        return what;
      }
    }
    @Injectable()
    class Tasks {
      constructor(readonly steps: Steps) {}
      @Task('pays')
      async pays(_event: unknown, ctx: TaskContext) {
        await ctx.transaction('kept', (em) => em.query(`insert into paid values ('kept')`));
        await ctx.transaction('undone', async (em) => {
          await em.query(`insert into paid values ('undone')`);
          void gate.pass();
          await once(ctx.signal, 'abort');
          ctx.signal.throwIfAborted();
        });
      }
    }
    const { url } = apps.database;
    await apps.database.query('create table paid (what text)');
    const { conductor } = await start({
      providers: [Tasks, Steps],
      modules: [TypeOrmModule.forRoot({ type: 'postgres', url })],
      transactions: { dataSource: 'default' },
    });
    const handle = await conductor.invoke({ name: 'pays' });
    await gate.reached;
    await expect(handle.cancel({ reason: 'refund' })).resolves.toBe('requested');
    await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({ reason: 'refund' });
    await expect(apps.database.query('select what from paid')).resolves.toEqual([{ what: 'kept' }]);
    await expect(conductor.steps(handle.id)).resolves.toMatchObject([{ name: 'kept' }]);
  });

  it('is request-scoped, has a DTO payload, is replayed after a sleep, and is cancelled in its second activation', async () => {
    const charge = defineTask({ name: 'charge', payload: Amount });
    const gate = new Gate();
    let bodies = 0;
    @Injectable({ scope: Scope.REQUEST })
    class Tasks {
      @Task(charge)
      async charge({ payload }: TaskEvent<typeof charge>, ctx: TaskContext) {
        await ctx.step('once', () => (bodies += 1));
        await ctx.sleep('nap', 30);
        await gate.pass();
        await once(ctx.signal, 'abort');
        await ctx.step('next', () => payload.cents);
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke(charge, { cents: 5 });
    gate.open();
    await gate.reached;
    await expect(handle.cancel({ reason: 'scoped' })).resolves.toBe('requested');
    await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({ reason: 'scoped' });
    expect(bodies).toBe(1);
    await expect(handle.status()).resolves.toMatchObject({ payload: { cents: 5 }, attempt: 1 });
  });

  it('is replaying when it is told: recorded steps are still answered, bodies run no more', async () => {
    const gate = new Gate();
    const seen: unknown[] = [];
    @Injectable()
    class Tasks {
      @Task('replays')
      async replays(_event: unknown, ctx: TaskContext) {
        if (ctx.fence > 1) {
          void gate.pass();
          await once(ctx.signal, 'abort');
        }
        for (let i = 0; i < 3; i += 1)
          seen.push(await ctx.step(`s${i}`, () => `${ctx.fence} ${i}`));
        if (ctx.fence === 1) await ctx.sleep('nap', 30);
        else
          await ctx
            .step('late', () => seen.push('ran'))
            .catch((e: { code: string }) => seen.push(e.code));
        throw new Error('over');
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'replays' });
    await gate.reached;
    await handle.cancel({ reason: 'again' });
    await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({ reason: 'again' });
    expect(seen.slice(3)).toEqual(['1 0', '1 1', '1 2', 'CONDUCTOR_EXECUTION_CANCELLED']);
  });

  it('runs in one of two queues whose workers are other processes, and only it is told', async () => {
    const gates = { a: new Gate(), b: new Gate() };
    @Injectable()
    class A {
      @Task({ name: 'job', queue: 'a' })
      async job(_event: unknown, ctx: TaskContext) {
        void gates.a.pass();
        await once(ctx.signal, 'abort');
        ctx.signal.throwIfAborted();
      }
    }
    @Injectable()
    class B {
      @Task({ name: 'job', queue: 'b' })
      async job(_event: unknown, ctx: TaskContext) {
        await gates.b.pass();
        return ctx.signal.aborted;
      }
    }
    await start({ providers: [A], queues: { a: { concurrency: 1 } } });
    await start({ providers: [B], queues: { b: { concurrency: 1 } } });
    const { conductor } = await start({ role: 'client' });
    const a = await conductor.invoke({ name: 'job', queue: 'a' });
    const b = await conductor.invoke({ name: 'job', queue: 'b' });
    await Promise.all([gates.a.reached, gates.b.reached]);
    await expect(conductor.handle(a.id).cancel({ reason: 'only a' })).resolves.toBe('requested');
    await expect(a.result({ timeout: '20s' })).rejects.toMatchObject({ reason: 'only a' });
    gates.b.open();
    await expect(b.result({ timeout: '20s' })).resolves.toBe(false);
  });

  it('waits with others for the result, in several processes, each of which is told', async () => {
    const { conductor: asker } = await start({ role: 'client' });
    const { conductor: other } = await start({ role: 'client' });
    const handle = await asker.invoke({ name: 'nobody' }, { big: 'x'.repeat(100_000) });
    const results = [
      handle.result(),
      other.handle(handle.id).result(),
      handle.result({ timeout: '1h' }),
    ];
    await expect(other.cancel(handle.id, { reason: 'all of you' })).resolves.toBe('cancelled');
    for (const settled of await Promise.allSettled(results))
      expect(settled).toMatchObject({ status: 'rejected', reason: { reason: 'all of you' } });
    await expect(asker.invoke({ name: 'nobody' }, 1, { id: handle.id })).resolves.toMatchObject({
      outcome: 'existing',
    });
    await expect(handle.status()).resolves.toMatchObject({ status: 'cancelled' });
  });

  it('is cancelled while its worker invokes, claims and ends two hundred: each one has the end that its answer says', async () => {
    @Injectable()
    class Tasks {
      @Task('quick', { retry: { maxAttempts: 3, backoff: atOnce } })
      async quick({ payload }: { payload: number }, ctx: TaskContext) {
        if (payload % 3 === 1) await ctx.step('s', () => 1);
        if (payload % 3 === 2) await ctx.sleep('n', 5);
        if (payload % 5 === 0 && ctx.attempt === 1) throw new Error('first');
        return payload;
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handles = await conductor.invokeMany(
      { name: 'quick' },
      Array.from({ length: 200 }, (_, payload) => ({ payload })),
    );
    const answers = await Promise.all(handles.map((handle) => handle.cancel()));
    const ends = await Promise.all(
      handles.map((handle) =>
        handle.result({ timeout: '60s' }).then(
          () => 'completed',
          (error: { code: string }) => error.code,
        ),
      ),
    );
    const wrong = answers
      .map((answer, i) => `${answer} ${ends[i]}`)
      .filter(
        (pair) =>
          !/^(cancelled|requested) CONDUCTOR_EXECUTION_CANCELLED$|^(requested|too-late) completed$/.test(
            pair,
          ),
      );
    expect(wrong).toEqual([]);
    await expect(conductor.queues()).resolves.toMatchObject([
      { pending: 0, running: 0, suspended: 0, blocked: 0 },
    ]);
  }, 90_000);
});
