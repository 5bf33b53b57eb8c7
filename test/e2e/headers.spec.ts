import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { defineTask, InvalidInvokeError, Task, TaskContext, type } from '../../lib/index.js';
import { testApps } from '../support/test-app.js';

const soon = { timeout: '20s' } as const;
const typed = defineTask({ name: 'typed', payload: type<{ n: number }>() });

@Injectable()
class Tasks {
  @Task('read')
  async read(_event: unknown, ctx: TaskContext) {
    return [ctx.headers, Object.isFrozen(ctx.headers), ctx.headers === ctx.headers];
  }

  @Task('again', { retry: { maxAttempts: 2, backoff: { type: 'fixed', delay: 1 } } })
  async again(_event: unknown, ctx: TaskContext) {
    const seen = await ctx.step('seen', () => ({ ...ctx.headers }));
    await ctx.sleep('pause', 20);
    if (ctx.attempt === 1) throw new Error('once more');
    return [seen, ctx.headers];
  }

  @Task(typed)
  async typed(_event: unknown, ctx: TaskContext) {
    return ctx.headers;
  }
}

describe('headers', () => {
  const apps = testApps('all');
  const { start } = apps;
  const database = () => apps.database;
  const headers = { tenant: 'acme', 'trace id': '{"a b"} ü 😀', ['__proto__']: 'own', empty: '' };

  it('come with ctx, frozen, and with the view', async () => {
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'read' }, null, { headers });
    expect(await handle.result(soon)).toEqual([headers, true, true]);
    const view = await handle.status();
    expect(view.headers).toEqual(headers);
    expect((await conductor.list({ task: 'read' })).items[0]!.headers).toEqual(headers);
  });

  it('are empty where none are given', async () => {
    const { conductor } = await start({ providers: [Tasks] });
    for (const options of [{}, { headers: {} }, { headers: undefined }]) {
      const handle = await conductor.invoke({ name: 'read' }, null, options);
      expect(await handle.result(soon)).toEqual([{}, true, true]);
      expect((await handle.status()).headers).toEqual({});
    }
  });

  it('are the same whether it starts in its own process or is claimed, after a wait and in the next attempt', async () => {
    const app = await start({ providers: [Tasks], autoStart: false });
    const claimed = await app.conductor.invoke({ name: 'again' }, null, { headers });
    const plain = await app.conductor.invoke({ name: 'again' });
    await app.orchestrator.start();
    const local = await app.conductor.invoke({ name: 'again' }, null, { headers });
    expect(await claimed.result(soon)).toEqual([headers, headers]);
    expect(await local.result(soon)).toEqual([headers, headers]);
    expect(await plain.result(soon)).toEqual([{}, {}]);
  });

  it('belong to each item of a batch, and come with what has other options as well', async () => {
    const { conductor } = await start({ providers: [Tasks] });
    const handles = await conductor.invokeMany({ name: 'read' }, [
      { payload: 1, headers: { n: '1' } },
      { payload: 2 },
      { payload: 3, headers: { n: '3' }, priority: 7, deadline: '1h', expireAfter: '1h', delay: 5 },
    ]);
    const results = await Promise.all(handles.map((handle) => handle.result(soon)));
    expect(results.map((result) => (result as unknown[])[0])).toEqual([{ n: '1' }, {}, { n: '3' }]);
  });

  it('of an id that is known stay those of the first', async () => {
    const { conductor } = await start({ providers: [Tasks] });
    const id = randomUUID();
    await conductor.invoke({ name: 'read' }, null, { id, headers: { n: '1' } });
    const again = await conductor.invoke({ name: 'read' }, null, { id, headers: { n: '2' } });
    expect(again.outcome).toBe('existing');
    expect(await again.result(soon)).toEqual([{ n: '1' }, true, true]);
  });

  it('are taken down when they are given, also where a schema is awaited', async () => {
    const { conductor } = await start({ providers: [Tasks] });
    const mine: Record<string, string> = { n: '1' };
    const invoked = conductor.invoke(typed, { n: 1 }, { headers: mine });
    mine.n = '2';
    expect(await (await invoked).result(soon)).toEqual({ n: '1' });
  });

  it('that cannot be are refused, all problems at once, and nothing is written', async () => {
    const { conductor } = await start({ providers: [Tasks] });
    const before = (await conductor.list({ task: 'refused' })).items.length;
    const problemsOf = async (given: unknown) => {
      const error: unknown = await conductor
        .invoke({ name: 'refused' }, null, { headers: given as Record<string, string> })
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(InvalidInvokeError);
      return (error as Error).message;
    };
    expect(await problemsOf({ n: 1, '': 'x', nul: 'a\0', half: '\ud800' })).toMatch(
      /headers\.n must be a string[^]*a name must not be empty[^]*headers\.nul[^]*headers\.half/,
    );
    expect(await problemsOf('tenant=acme')).toContain('headers must be an object');
    expect(await problemsOf(['a'])).toContain('headers must be an object');
    expect(await problemsOf({ n: null })).toContain('headers.n must be a string');
    expect(await problemsOf({ long: 'x'.repeat(8 * 1024) })).toContain('may take 8192');
    const largest = 'x'.repeat(8 * 1024 - '{"n":""}'.length);
    const handle = await conductor.invoke({ name: 'read' }, null, { headers: { n: largest } });
    expect(await handle.result(soon)).toEqual([{ n: largest }, true, true]);
    expect((await conductor.list({ task: 'refused' })).items.length).toBe(before);
  });

  it('that are too many for it are refused by the database as well', async () => {
    const { conductor } = await start({ providers: [Tasks] });
    const { id } = await conductor.invoke({ name: 'read' });
    const longer = JSON.stringify({ n: 'x'.repeat(8 * 1024) });
    await expect(
      database().query('update conductor.execution set headers = $2 where id = $1', [id, longer]),
    ).rejects.toThrow('execution_headers_size');
  });
});
