import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { startPostgres, type RunningPostgres } from '../../lib/embedded/index.js';
import { DatabaseUnavailableError, Task, type TaskContext } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { startApp } from '../support/test-app.js';
import { until } from '../support/until.js';

const url = process.env['DATABASE_URL'];

describe('an outage of the database', () => {
  let directory: string;
  let postgres: RunningPostgres | undefined;

  beforeAll(async () => {
    delete process.env['DATABASE_URL']; // this suite stops and starts a server of its own
    directory = await mkdtemp(join(tmpdir(), 'conductor-outage-'));
  });

  afterAll(async () => {
    await postgres?.stop();
    await rm(directory, { recursive: true, force: true });
    if (url !== undefined) process.env['DATABASE_URL'] = url;
  });

  it('fails an invoke with a typed error, loses nothing that was accepted, and is over when the database is back', async () => {
    const port = await freePort();
    const start = () => startPostgres({ directory, port, log: () => undefined });
    postgres = await start();
    const gate = new Gate();
    const bodies: string[] = [];
    @Injectable()
    class Tasks {
      @Task('through')
      async through(_event: unknown, ctx: TaskContext) {
        await ctx.step('before', () => bodies.push('before'));
        await ctx.step('during', async () => {
          bodies.push('during');
          await gate.pass(); // its result meets no database
        });
        return await ctx.step('after', () => bodies.push('after'));
      }
      @Task('quick')
      quick() {
        return 'ran';
      }
    }
    const app = await startApp({ url: postgres.url, providers: [Tasks] });
    try {
      const running = await app.conductor.invoke({ name: 'through' });
      const waiting = await app.conductor.invoke({ name: 'quick' }, 0, { delay: '5s' }); // not before the database has gone
      await gate.reached;
      await postgres.stop();
      const refused = app.conductor.invoke({ name: 'quick' }).catch((error: unknown) => error);
      gate.open();
      const reading = await app.conductor.get(running.id).catch((error: unknown) => error);
      expect(reading).toBeInstanceOf(DatabaseUnavailableError);
      await expect(refused).resolves.toBeInstanceOf(DatabaseUnavailableError);
      expect(app.orchestrator.info.running).toBe(1); // it waits with its result for the database
      postgres = await start();
      await expect(running.result({ timeout: '30s' })).resolves.toBe(3);
      await expect(waiting.result({ timeout: '30s' })).resolves.toBe('ran');
      expect(bodies).toEqual(['before', 'during', 'after']);
      await expect(until(() => running.status())).resolves.toMatchObject({ attempt: 1, losses: 0 });
      await expect(
        app.conductor.invokeAndWait({ name: 'quick' }, 0, { timeout: '30s' }),
      ).resolves.toBe('ran');
    } finally {
      await app.close();
    }
  }, 120_000);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
