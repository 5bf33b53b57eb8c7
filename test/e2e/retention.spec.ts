import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { ResultWaiter } from '../../lib/client/result-waiter.js';
import { systemClock } from '../../lib/common/clock.js';
import { NonRetryableError, Task, type TaskContext, type TaskEvent } from '../../lib/index.js';
import { Database } from '../../lib/persistence/database.js';
import { ExecutionReader } from '../../lib/persistence/repositories/execution.reader.js';
import { Gate } from '../support/gate.js';
import { movableClock } from '../support/movable-clock.js';
import { testApps, type TestApp } from '../support/test-app.js';
import { until } from '../support/until.js';

const second = 1_000;
const minute = 60 * second;
const day = 24 * 60 * minute;

@Injectable()
class Tasks {
  static ran: string[] = [];
  static gate: Gate;

  @Task('plain')
  plain(event: TaskEvent) {
    return run(event);
  }

  @Task('short', { retention: { completed: '1d', failed: '2d' } })
  short(event: TaskEvent) {
    return run(event);
  }

  @Task('kept', { retention: { completed: false } })
  kept(event: TaskEvent) {
    return run(event);
  }

  @Task('brief', { retention: { completed: 0, failed: 0 } })
  async brief(event: TaskEvent, ctx: TaskContext) {
    await ctx.step('first', () => 'secret');
    return run(event);
  }

  @Task('gated', { retention: { completed: 0 } })
  async gated() {
    await Tasks.gate.pass();
    return 'secret';
  }
}

function run({ payload }: TaskEvent): string {
  Tasks.ran.push(payload as string);
  if (payload === 'fails') throw new NonRetryableError('secret');
  return `ran ${payload as string}`;
}

describe('retention', () => {
  const apps = testApps();
  const { start } = apps;
  let clock: ReturnType<typeof movableClock>;

  beforeEach(() => {
    Tasks.ran = [];
    Tasks.gate = new Gate();
    clock = movableClock(apps.database);
  });

  /** Asks for a task, and waits for its end. @returns its id */
  async function ended({ conductor }: TestApp, name: string, payload = 'done'): Promise<string> {
    const handle = await conductor.invoke({ name }, payload);
    await handle.result({ timeout: '20s' }).catch(() => undefined);
    return handle.id;
  }

  /** A worker looks for what is not kept any longer when it starts. */
  async function restart({ orchestrator }: TestApp): Promise<void> {
    await orchestrator.stop();
    await orchestrator.start();
  }

  const gone = ({ conductor }: TestApp, id: string) =>
    until(async () => (await conductor.get(id)) === undefined);

  it('B3 keeps what is finished for as long as its task says, else the module, and `false` for ever; then get, list, steps and queues know nothing of it', async () => {
    const app = await start({
      providers: [Tasks],
      defaults: { retention: { completed: '3d', failed: '4d' } },
    });
    const { conductor } = app;
    await clock.install();
    const short = [await ended(app, 'short'), await ended(app, 'short', 'fails')];
    const plain = [await ended(app, 'plain'), await ended(app, 'plain', 'fails')];
    const kept = [await ended(app, 'kept'), await ended(app, 'kept', 'fails')];
    const all = [...short, ...plain, ...kept];
    const order = [short[0]!, short[1]!, plain[0]!, plain[1]!, kept[1]!];
    for (const [days, last] of [
      [1, 0],
      [1, 1],
      [1, 2],
      [1, 4], // plain and kept, where they failed, both have the module's 4 days
      [1_000, 4],
    ] as const) {
      await clock.advance(days * day + minute);
      await restart(app);
      for (const id of order.slice(0, last + 1)) await gone(app, id);
      const left = all.filter((id) => !order.slice(0, last + 1).includes(id));
      const { items } = await conductor.list();
      expect(items.map(({ id }) => id).sort()).toEqual([...left].sort());
    }
    await expect(conductor.steps(short[0]!)).resolves.toEqual([]);
    await expect(conductor.handle(kept[0]!).result()).resolves.toBe('ran done');
    expect(Tasks.ran).toHaveLength(6);
  });

  it('B3 keeps 7 days what completed and 30 what failed, where nobody says anything', async () => {
    const app = await start({ providers: [Tasks] });
    await clock.install();
    const [done, failed] = [await ended(app, 'plain'), await ended(app, 'plain', 'fails')];
    await clock.advance(7 * day + minute);
    await restart(app);
    await gone(app, done);
    await expect(app.conductor.get(failed)).resolves.toMatchObject({ status: 'failed' });
    await clock.advance(22 * day);
    await restart(app);
    const probe = await ended(app, 'brief');
    await clock.advance(10 * second);
    await until(async () => (await app.conductor.get(probe))?.pruned); // it has looked
    await expect(app.conductor.get(failed)).resolves.toMatchObject({ status: 'failed' });
    await clock.advance(day);
    await restart(app);
    await gone(app, failed);
  });

  it('B3 goes by the settings of the last deploy, also for what ended before it', async () => {
    const before = await start({
      providers: [Tasks],
      defaults: { retention: { completed: '9d' } },
    });
    await clock.install();
    const id = await ended(before, 'plain');
    await clock.advance(2 * day);
    await before.close();
    const after = await start({ providers: [Tasks], defaults: { retention: { completed: '1d' } } });
    await expect(gone(after, id)).resolves.toBe(true);
  });

  it('B3 gives the result of what is kept for 0 to whoever waits, then only knows that it ended, and does not run it again when its invoke is sent again', async () => {
    const app = await start({ providers: [Tasks] });
    const { conductor } = app;
    const other = await start({ role: 'client' });
    await clock.install();
    const id = randomUUID();
    const invoke = () => conductor.invoke({ name: 'brief' }, 'once', { id });
    const first = await invoke();
    const results = [first.result(), other.conductor.handle(id).result()];
    await expect(Promise.all(results)).resolves.toEqual(['ran once', 'ran once']);
    const failed = await ended(app, 'brief', 'fails');

    await clock.advance(10 * second);
    for (const [pruned, status] of [
      [id, 'completed'],
      [failed, 'failed'],
    ] as const) {
      const view = await until(async () => {
        const found = await conductor.get(pruned);
        return found?.pruned && found;
      });
      expect(view).toMatchObject({ id: pruned, task: 'brief', status, attempt: 1 });
      expect(view).not.toHaveProperty('result');
      expect(view).not.toHaveProperty('error');
      expect(view.payload).toBeUndefined();
      await expect(conductor.steps(pruned)).resolves.toEqual([]);
      await expect(conductor.handle(pruned).result({ timeout: '20s' })).rejects.toMatchObject({
        name: 'ResultExpiredError',
        code: 'CONDUCTOR_RESULT_EXPIRED',
        status,
      });
    }
    const { items } = await conductor.list({ task: 'brief' });
    expect(items.map(({ pruned }) => pruned)).toEqual([true, true]);

    await clock.advance(9 * minute);
    await restart(app);
    const again = await invoke();
    expect(again.outcome).toBe('existing');
    await expect(again.result({ timeout: '20s' })).rejects.toThrow(/has ended \(completed\)/);
    expect(Tasks.ran).toEqual(['once', 'fails']);

    await clock.advance(minute);
    await gone(app, id);
    await expect(again.result()).rejects.toMatchObject({ code: 'CONDUCTOR_RESULT_EXPIRED' }); // it was accepted
    await expect(conductor.handle(id).result()).rejects.toMatchObject({
      code: 'CONDUCTOR_UNKNOWN_EXECUTION',
    });
    await expect((await invoke()).result({ timeout: '20s' })).resolves.toBe('ran once');
    expect(Tasks.ran).toEqual(['once', 'fails', 'once']);
  });

  it('B3 tells whoever waited for so long that what ended meanwhile is gone', async () => {
    const app = await start({ providers: [Tasks] });
    await clock.install();
    const database = new Database(
      { poolSize: 2, schema: 'conductor', migrations: 'off' },
      systemClock,
    );
    await database.open({ url: apps.database.url });
    apps.keep(database);
    const { id } = await app.conductor.invoke({ name: 'gated' });
    await Tasks.gate.reached;
    let frozenMs = 0;
    const frozen = new Gate();
    let asked = 0;
    const reader = new ExecutionReader(database);
    const slow = {
      endings: async (ids: string[]) => {
        asked += 1;
        if (asked > 1) await frozen.pass();
        return await reader.endings(ids);
      },
      known: (ids: string[]) => reader.known(ids),
    } as ExecutionReader;
    const waiter = new ResultWaiter(slow, {
      ...systemClock,
      now: () => systemClock.now() + frozenMs,
    });
    const answer = waiter.wait(id, undefined);
    await frozen.reached; // it has seen that the execution exists, and is away from here on
    Tasks.gate.open();
    await app.conductor.handle(id).result({ timeout: '20s' });
    await clock.advance(11 * minute);
    await gone(app, id);
    frozenMs = 11 * minute;
    frozen.open();
    await expect(answer).resolves.toBe('gone');
    waiter.close();
  });

  it('B3 works off a backlog of several statements at once', async () => {
    @Injectable()
    class Short {
      @Task('short', { retention: { completed: '1d' } }) // no task that keeps 0: nobody looks again within a minute
      short() {}
    }
    const app = await start({ providers: [Short] });
    await clock.install();
    const items = Array.from({ length: 2_500 }, () => ({ payload: 'done' }));
    await app.conductor.invokeMany({ name: 'short' }, items);
    await app.orchestrator.drain();
    await clock.advance(2 * day);
    await restart(app);
    await until(async () => (await app.conductor.list({ limit: 1 })).items.length === 0);
    await expect(apps.database.query('select 1 from conductor.outcome')).resolves.toEqual([]);
  });
});
