import { once } from 'node:events';
import { Injectable } from '@nestjs/common';
import { Conductor, Task, TaskContext } from '../../lib/index.js';
import { statusCode } from '../../lib/execution/execution-status.js';
import { claimRow } from '../../lib/persistence/sql/claim.js';
import { Proxy } from '../hazards/harness/proxy.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

/** Of a row of a claim's reply that says when it claimed something. */
const CLAIMED = String(claimRow.at);

describe('the lease of a worker', () => {
  const apps = testApps();

  const beatAt = async () => {
    const [row] = await apps.database.query<{ at: string }>(
      `select max(beat_at)::text as at from conductor.worker where not dead`,
    );
    return row!.at;
  };

  it('FC4 is renewed while reads of handlers hold every connection of the pool', async () => {
    @Injectable()
    class Tasks {
      constructor(private readonly conductor: Conductor) {}
      @Task('reads')
      async reads() {
        await Promise.all([this.conductor.queues(), this.conductor.queues()]);
        return 'read';
      }
    }
    const { url } = apps.database;
    const app = await apps.start({
      connection: { url, poolSize: 2 },
      providers: [Tasks],
      lease: '1s',
    });
    await apps.database.whileLocked('conductor.queue', async () => {
      await app.conductor.invoke({ name: 'reads' });
      await until(async () => {
        const waiting = await apps.database.query(
          `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return waiting.length === 2;
      });
      const before = await beatAt();
      // Postgres gives the reads up after 5 s of waiting, and the pool is free again
      await expect(until(async () => (await beatAt()) !== before, 4_000)).resolves.toBe(true);
    });
  });

  it('FC2 is renewed on another connection when that of the heartbeat is half-open', async () => {
    @Injectable()
    class Tasks {
      @Task('quick')
      quick() {
        return 'ran';
      }
    }
    let vanishing = false;
    const proxy = new Proxy(apps.database.url, {
      judge: ({ kind }) => (vanishing && kind === 'heartbeat' ? 'hold' : 'pass'),
    });
    apps.keep({ close: () => proxy.close() });
    await apps.start({ url: proxy.url, providers: [Tasks], lease: '1s' });
    vanishing = true;
    await until(() => proxy.halfOpen > 0);
    vanishing = false;
    const before = await beatAt();
    // the deadline of other statements is 15 s: a beat that waited for that one would come too late
    await expect(until(async () => (await beatAt()) !== before, 8_000)).resolves.toBe(true);
  });

  it('FC3 keeps nothing that it does not know of: what a lost reply had claimed is given back, and charged nothing', async () => {
    const claims: number[] = [];
    @Injectable()
    class Tasks {
      @Task('quick')
      quick(_event: unknown, ctx: TaskContext) {
        claims.push(ctx.fence);
      }
    }
    const lost: string[] = [];
    const proxy = new Proxy(apps.database.url, {
      judge: ({ kind }) => (kind === 'claim' && lost.length === 0 ? 'cutBeforeReply' : 'pass'),
      cut: ({ kind, rows }) => void (rows.includes(CLAIMED) && lost.push(kind)),
    });
    apps.keep({ close: () => proxy.close() });
    const app = await apps.start({
      url: proxy.url,
      providers: [Tasks],
      lease: '1s',
      autoStart: false,
    });
    const execution = await app.conductor.invoke({ name: 'quick' });
    await app.orchestrator.start();
    await execution.result({ timeout: '20s' });
    expect(lost).toEqual(['claim']);
    expect(claims).toEqual([2]);
    await expect(execution.status()).resolves.toMatchObject({ attempt: 1, losses: 0 });
  });

  it('FZ1 begins no body of a step once it is over, however the process stood still', async () => {
    const bodies: number[] = [];
    @Injectable()
    class Tasks {
      @Task('stands still')
      async standsStill(_event: unknown, ctx: TaskContext) {
        await ctx.step('one', () => 1);
        if (ctx.fence === 1) for (const end = Date.now() + 1_500; Date.now() < end;);
        // without a turn of the event loop: no timer could have told it
        await ctx.step('two', () => void bodies.push(ctx.fence));
      }
    }
    const app = await apps.start({ providers: [Tasks], lease: '1s' });
    const execution = await app.conductor.invoke({ name: 'stands still' });
    await execution.result({ timeout: '20s' });
    expect(bodies).toEqual([2]);
  });

  it('FZ1 ends for its handlers before it ends for others: they are told, and what they still write is refused', async () => {
    const seen: unknown[] = [];
    let vanishing = false;
    @Injectable()
    class Tasks {
      @Task('long')
      async long(_event: unknown, ctx: TaskContext) {
        seen.push(ctx.fence);
        if (ctx.fence > 1) return;
        vanishing = true;
        await once(ctx.signal, 'abort');
        seen.push(
          await ctx.step('late', () => 'ran').catch((error: { code: string }) => error.code),
        );
        seen.push(
          ...(await apps.database.query('select status, claims from conductor.run where id = $1', [
            ctx.executionId,
          ])),
        );
        vanishing = false;
      }
    }
    const proxy = new Proxy(apps.database.url, {
      judge: ({ kind }) => (vanishing && kind === 'heartbeat' ? 'hold' : 'pass'),
    });
    apps.keep({ close: () => proxy.close() });
    const app = await apps.start({ url: proxy.url, providers: [Tasks], lease: '1s' });
    await app.conductor.invokeAndWait({ name: 'long' }, 0, { timeout: '20s' });
    expect(seen).toEqual([1, 'CONDUCTOR_LEASE_LOST', { status: statusCode.running, claims: 1 }, 2]);
  });

  it('FZ1 that ended before the reply to a claim came lets nothing of it begin', async () => {
    const claims: number[] = [];
    const said: string[] = [];
    @Injectable()
    class Tasks {
      @Task('quick')
      quick(_event: unknown, ctx: TaskContext) {
        claims.push(ctx.fence);
      }
    }
    let vanishing = true;
    const proxy = new Proxy(apps.database.url, {
      judge: ({ kind }) => (vanishing && kind === 'heartbeat' ? 'hold' : 'pass'),
    });
    apps.keep({ close: () => proxy.close() });
    const app = await apps.start({
      url: proxy.url,
      providers: [Tasks],
      lease: '1s',
      autoStart: false,
      logger: { log() {}, error() {}, warn: (message) => void said.push(String(message)) },
    });
    const { id } = await app.conductor.invoke({ name: 'quick' });
    await apps.database.whileLocked('conductor.execution', async () => {
      await app.orchestrator.start(); // the claim waits for the lock
      await until(() => said.some((message) => message.includes('lease is about to end')));
    });
    await until(async () => {
      const rows = await apps.database.query(
        'select 1 from conductor.run where id = $1 and claims = 1',
        [id],
      );
      return rows.length > 0;
    });
    vanishing = false;
    await app.conductor.handle(id).result({ timeout: '20s' });
    expect(claims).toEqual([2]);
  });
});
