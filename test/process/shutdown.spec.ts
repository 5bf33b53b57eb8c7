import { fileURLToPath } from 'node:url';
import { buildWorker, type WorkerBuild } from '../hazards/harness/worker-build.js';
import { Proxy } from '../hazards/harness/proxy.js';
import { testApps, type TestApp } from '../support/test-app.js';
import { until } from '../support/until.js';
import { AppProcess } from './app-process.js';
import type { AppSettings } from './app/settings.js';

const BY_SIGTERM = { code: null, signal: 'SIGTERM' };
const LEASE_MS = 1_000;

// processes of their own, since what Nest and Node do at the end of one cannot be had within jest's
describe('a process with HTTP and the conductor', () => {
  const apps = testApps();
  let build: WorkerBuild;
  let client: TestApp;

  beforeAll(async () => {
    build = await buildWorker(fileURLToPath(new URL('app/main.ts', import.meta.url)));
  });
  beforeEach(async () => {
    client = await apps.start({ role: 'client' });
  });
  afterAll(() => build.remove());

  function spawn({ options, ...settings }: Partial<AppSettings> = {}): AppProcess {
    const app = new AppProcess(build.main, {
      url: apps.database.url,
      options: { lease: LEASE_MS, shutdown: { soft: '20s', hard: '25s' }, ...options },
      ...settings,
    });
    apps.keep(app);
    return app;
  }

  async function boot(settings: Partial<AppSettings> = {}): Promise<AppProcess> {
    const app = spawn(settings);
    await app.tells('up');
    return app;
  }

  const workers = () =>
    apps.database.query<{ pid: number; stopping: boolean; dead: boolean }>(
      'select pid, stopping, dead from conductor.worker order by id',
    );
  const stopAnnounced = ({ pid }: AppProcess) =>
    until(async () => (await workers()).find((worker) => worker.pid === pid)?.stopping);
  const outlivesItsLease = async ({ pid }: AppProcess) => {
    const [announced] = await apps.database.query<{ at: string }>(
      'select beat_at::text as at from conductor.worker where pid = $1',
      [pid],
    );
    await until(async () => {
      const rows = await apps.database.query(
        `select 1 from conductor.worker
         where pid = $1 and not dead and beat_at > $2::timestamptz + $3 * interval '2 ms'`,
        [pid, announced!.at, LEASE_MS],
      );
      return rows.length > 0;
    });
  };
  const post = async (app: AppProcess, path: string) =>
    (await fetch(`${app.url}/${path}`, { method: 'POST' })).json() as Promise<{ id: string }>;
  const resultOf = (id: string) => client.conductor.handle(id).result({ timeout: '20s' });

  it('K3 drains at SIGTERM: steps end, other processes go on from there, HTTP, enqueueing and the lease live until then', async () => {
    const first = await boot();
    const held = await client.conductor.invokeMany(
      { name: 'steps' },
      Array.from({ length: 3 }, () => ({ payload: { steps: 3, hold: ['s1'] } })),
    );
    const asking = await client.conductor.invoke({ name: 'asks' });
    await first.tells('began', 4, ({ name }) => name === 's1' || name === 'ask');
    const second = await boot();

    first.signal('SIGTERM');
    await stopAnnounced(first);
    // by HTTP
    const { id: byHttp } = await post(first, 'quick');
    await expect(resultOf(byHttp)).resolves.toBe(second.pid);
    await expect(
      fetch(`${first.url}/results/${byHttp}`).then((response) => response.json()),
    ).resolves.toEqual({ result: second.pid });
    // the soft deadline is twenty leases away: without heartbeats the other one would take over what still runs here
    await outlivesItsLease(first);
    first.send({ open: 'ask' });
    const [asked] = await first.tells('invoked');
    await expect(resultOf(asked!.id)).resolves.toBe(second.pid);
    await expect(post(first, 'quick')).resolves.toHaveProperty('id'); // s1 is still held
    first.send({ open: 's1' });

    await expect(first.ended).resolves.toEqual(BY_SIGTERM);
    await expect(fetch(`${first.url}/results/${byHttp}`)).rejects.toThrow('fetch failed');
    for (const { id } of held) await expect(resultOf(id)).resolves.toBe(3);
    await resultOf(asking.id);
    const ran = (app: AppProcess) =>
      app
        .all('began')
        .map(({ name }) => name)
        .toSorted((a, b) => a.localeCompare(b));
    expect(ran(first)).toEqual(['ask', 's0', 's0', 's0', 's1', 's1', 's1']);
    expect(ran(second)).toEqual(['s2', 's2', 's2']);
    for (const { id } of [...held, asking])
      await expect(client.conductor.get(id)).resolves.toMatchObject({ attempt: 1, losses: 0 });
    expect((await workers()).map(({ pid }) => pid)).toEqual([second.pid]);
  });

  it('K3 ends at its hard deadline with a handler that hears nothing, which runs again elsewhere once, uncharged', async () => {
    const first = await boot({ options: { shutdown: { soft: 100, hard: 500 } } });
    const { id } = await client.conductor.invoke({ name: 'deaf' });
    await first.tells('began');
    const second = await boot();
    first.signal('SIGTERM');
    await expect(first.ended).resolves.toEqual(BY_SIGTERM);
    // not released: it is still the first one's until the lease is over
    await expect(
      apps.database.query(
        `select r.status, w.pid from conductor.run r join conductor.worker w on w.id = r.worker_id where r.id = $1`,
        [id],
      ),
    ).resolves.toEqual([{ status: 1, pid: first.pid }]);
    second.send({ open: 'deaf' });
    await expect(resultOf(id)).resolves.toBe(second.pid);
    expect(second.all('began')).toHaveLength(1);
    await expect(client.conductor.get(id)).resolves.toMatchObject({ attempt: 1, losses: 0 });
    await until(async () => (await workers()).length === 1);
  });

  it('K4 has the late result of a handler refused that was frozen until another process had taken over', async () => {
    const first = await boot();
    const { id } = await client.conductor.invoke({ name: 'deaf' });
    await first.tells('began');
    const second = await boot();
    first.signal('SIGSTOP');
    await second.tells('began');
    first.send({ open: 'deaf' });
    first.signal('SIGCONT');
    await first.tells('ended');
    first.signal('SIGTERM');
    await expect(first.ended).resolves.toEqual(BY_SIGTERM); // having settled what it had to settle
    await expect(client.conductor.handle(id).status()).resolves.toMatchObject({
      status: 'running',
      losses: 1,
    });
    second.send({ open: 'deaf' });
    await expect(resultOf(id)).resolves.toBe(second.pid);
  });

  it('K3 goes on draining at a second SIGTERM', async () => {
    const app = await boot({ signals: 2 });
    const { id } = await client.conductor.invoke({ name: 'steps' }, { steps: 2, hold: ['s0'] });
    await app.tells('began');
    app.signal('SIGTERM');
    await app.tells('signal');
    await stopAnnounced(app);
    app.signal('SIGTERM');
    await app.tells('signal', 2);
    await expect(post(app, 'quick')).resolves.toHaveProperty('id');
    app.send({ open: 's0' });
    await expect(app.ended).resolves.toEqual(BY_SIGTERM);
    await expect(client.conductor.steps(id)).resolves.toMatchObject([{ name: 's0' }]);
  });

  it.each(['vanishes', 'is refused'])(
    'K3 ends at its hard deadline although what it sends to the database %s',
    async (fate) => {
      const proxy = new Proxy(apps.database.url);
      apps.keep(proxy);
      const first = await boot({
        url: proxy.url,
        options: { shutdown: { soft: 500, hard: 1_500 } },
      });
      const { id } = await client.conductor.invoke({ name: 'steps' }, { steps: 2, hold: ['s0'] });
      await first.tells('began');
      if (fate === 'vanishes') proxy.mode = { type: 'blackhole', direction: 'both' };
      else await proxy.close();
      first.signal('SIGTERM');
      first.send({ open: 's0' });
      // a statement that nobody answers is given up after 15 s, a connection that nobody closes never
      await expect(until(() => first.hasEnded, 8_000)).resolves.toBe(true);
      await expect(first.ended).resolves.toEqual(BY_SIGTERM);
      const second = await boot();
      second.send({ open: 's0' });
      await expect(resultOf(id)).resolves.toBe(2);
      await expect(client.conductor.get(id)).resolves.toMatchObject({ attempt: 1 });
    },
  );

  it('K3 ends at its hard deadline although a request waits for a result that nobody is left to bring', async () => {
    const app = await boot({ options: { shutdown: { soft: 100, hard: 500 } } });
    const { id } = await client.conductor.invoke({ name: 'sleeper' });
    // without keep-alive, which Nest lets an idle connection have for 5 s
    const waiting = fetch(`${app.url}/results/${id}`, { headers: { connection: 'close' } }).then(
      ({ status }) => status,
    );
    await app.tells('began');
    app.signal('SIGTERM');
    await expect(waiting).resolves.toBe(500);
    await expect(app.ended).resolves.toEqual(BY_SIGTERM);
  });

  it('K3 ends when it is told to while it boots, whether before or within the start of its worker', async () => {
    const before = spawn({ slowBoot: true });
    await before.tells('booting');
    before.signal('SIGTERM');
    before.send({ open: 'boot' });
    await expect(before.ended).resolves.toEqual(BY_SIGTERM);

    const within = spawn();
    await apps.database.whileLocked('conductor.worker', async () => {
      await until(async () => {
        const waiting = await apps.database.query(
          `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        );
        return waiting.length > 0;
      });
      within.signal('SIGTERM');
    });
    await expect(within.ended).resolves.toEqual(BY_SIGTERM);
    await expect(workers()).resolves.toEqual([]);
  });

  it('FG1 loses, charges and repeats nothing in rolling restarts under load', async () => {
    const RESTARTS = 5;
    const STEPS = 3;
    const AT_ONCE = 10;
    const BODY_MS = 20;
    const fleet = await Promise.all([boot(), boot(), boot()]);
    const all = [...fleet];
    const ids: string[] = [];
    let feeding = true;
    const feed = async () => {
      while (feeding) {
        const { id } = await client.conductor.invoke(
          { name: 'steps' },
          { steps: STEPS, ms: BODY_MS },
        );
        ids.push(id);
        await expect(resultOf(id)).resolves.toBe(STEPS);
      }
    };
    const feeds = Promise.all(Array.from({ length: AT_ONCE }, feed));
    for (let restart = 0; restart < RESTARTS; restart++) {
      const [old] = fleet.splice(0, 1) as [AppProcess];
      const next = spawn();
      all.push(next);
      fleet.push(next);
      await next.tells('up');
      old.signal('SIGTERM');
      await expect(old.ended).resolves.toEqual(BY_SIGTERM);
    }
    feeding = false;
    await feeds;
    const began = () => all.flatMap((app) => app.all('began')).length;
    await until(() => began() >= ids.length * STEPS); // the last of it may still be on its way to us
    expect(began()).toBe(ids.length * STEPS);
    const [row] = await apps.database.query(
      `select count(*)::int as ended, count(*) filter (where claims > 1)::int > 0 as moved, sum(losses + failures)::int as charged
       from conductor.outcome`,
    );
    expect(row).toEqual({ ended: ids.length, moved: true, charged: 0 });
    expect((await workers()).map(({ pid }) => pid).toSorted((a, b) => a - b)).toEqual(
      fleet.map(({ pid }) => pid).toSorted((a, b) => a - b),
    );
  });

  it.each([
    { work: 'without work', tasks: [] },
    { work: 'with work that obeys', tasks: ['steps', 'sleeper'] },
    { work: 'with work that hears nothing, time-outs and waits', tasks: ['deaf', 'beside'] },
  ])(
    'K5 leaves nothing open after app.close() $work: the process ends by itself',
    async ({ tasks }) => {
      const app = await boot({ options: { shutdown: { soft: 100, hard: 500 } } });
      for (const name of tasks) await client.conductor.invoke({ name }, { steps: 2, hold: ['s0'] });
      await app.tells('began', tasks.length);
      app.send('close');
      app.send({ open: 's0' });
      await app.tells('closed');
      await expect(app.ended).resolves.toEqual({ code: 0, signal: null });
    },
  );
});
