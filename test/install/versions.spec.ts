import { Injectable, type LoggerService, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { systemClock, type Clock } from '../../lib/common/clock.js';
import { CLOCK, OPTIONS } from '../../lib/conductor.constants.js';
import { Conductor, ConductorModule, Task, type TaskContext } from '../../lib/index.js';
import type { ResolvedOptions } from '../../lib/interfaces/module-options.js';
import { Database } from '../../lib/persistence/database.js';
import { schemaCode, type SchemaCode } from '../../lib/persistence/schema-code.js';
import { Gate } from '../support/gate.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';
import { nextVersion } from './next-version.js';

const CHECKS = ['verify', 'off'] as const;

describe('code and schema of two versions', () => {
  const apps = testApps();

  async function open(
    code: SchemaCode,
    migrations: 'auto' | 'verify' | 'off' = 'auto',
  ): Promise<Database> {
    const database = new Database(
      { poolSize: 2, schema: 'conductor', migrations },
      systemClock,
      code,
    );
    apps.keep(database);
    await database.open({ url: apps.database.url });
    return database;
  }

  const installed = () =>
    apps.database.query('select version, min_compatible from conductor.installation');
  const history = () => apps.database.query('select * from conductor.migration order by id');

  it.each(CHECKS)(
    'O2 newer code refuses an older schema with "%s", and "auto" upgrades it',
    async (migrations) => {
      await open(schemaCode);
      const refused = open(nextVersion, migrations);
      await expect(refused).rejects.toMatchObject({
        code: 'CONDUCTOR_SCHEMA_VERSION',
        reason: 'behind',
      });
      await expect(refused).rejects.toThrow(/Next1900000000000.*migrations: "auto"/);
      await expect(history()).resolves.toHaveLength(1);
      await open(nextVersion);
      await expect(installed()).resolves.toEqual([{ version: 2, min_compatible: 1 }]);
      await expect(open(nextVersion, migrations)).resolves.toBeInstanceOf(Database);
    },
  );

  it('O2 older code, with "auto" too, works with a newer schema and changes nothing in it', async () => {
    await open(nextVersion);
    const before = await history();
    for (const migrations of ['auto', ...CHECKS] as const)
      await expect(open(schemaCode, migrations)).resolves.toBeInstanceOf(Database);
    await expect(history()).resolves.toEqual(before);
    await expect(installed()).resolves.toEqual([{ version: 2, min_compatible: 1 }]);
  });

  it.each(['auto', ...CHECKS] as const)(
    'O2 code that is older than the schema allows does not boot with "%s", and changes nothing',
    async (migrations) => {
      await open(nextVersion);
      await apps.database.query(
        'update conductor.installation set version = 3, min_compatible = 2',
      );
      const refused = open(schemaCode, migrations);
      await expect(refused).rejects.toMatchObject({
        code: 'CONDUCTOR_SCHEMA_VERSION',
        reason: 'ahead',
      });
      await expect(refused).rejects.toThrow(/version 3.*version 2.*version 1.*Upgrade/);
      await expect(installed()).resolves.toEqual([{ version: 3, min_compatible: 2 }]);
    },
  );

  describe('while both run', () => {
    const lines: string[] = [];
    const logger: LoggerService = {
      log() {},
      warn() {},
      error: (line: string) => lines.push(line),
    };
    let together: Gate;
    let heldBack: Gate;
    let arrived: number;

    beforeEach(() => {
      lines.length = 0;
      together = new Gate();
      heldBack = new Gate();
      arrived = 0;
    });

    function tasksOf(version: string): Type<object> {
      @Injectable()
      class VersionTasks {
        @Task('held')
        async held() {
          await heldBack.pass();
          return version;
        }
        /** Two of these end only when both versions run one. */
        @Task('together')
        async together(_: unknown, ctx: TaskContext) {
          await ctx.step('arrive', async () => {
            arrived += 1;
            if (arrived === 2) together.open();
            else await together.pass();
          });
          return version;
        }
        @Task('across')
        async across(_: unknown, ctx: TaskContext) {
          const before = await ctx.step('before', () => version);
          await ctx.sleep('nap', '3s');
          return [before, version];
        }
      }
      return VersionTasks;
    }

    const queues = { default: { concurrency: 1 } };
    const startToday = () => apps.start({ providers: [tasksOf('today')], queues, logger });

    /** An app of the next version, which settles by the next version's function. */
    async function startNext() {
      const { url } = apps.database;
      const module = await Test.createTestingModule({
        imports: [ConductorModule.forRoot({ connection: { url }, queues })],
        providers: [tasksOf('next')],
      })
        .overrideProvider(Database)
        .useFactory({
          inject: [OPTIONS, CLOCK],
          factory: (options: ResolvedOptions, clock: Clock) => {
            const database = new Database(options, clock, nextVersion);
            const { statement } = database;
            const run = statement.run.bind(statement);
            statement.run = (text, values) => run(text.replace('.settle(', '.settle_2('), values);
            return database;
          },
        })
        .setLogger(logger)
        .compile();
      const app = await module.init();
      apps.keep(app);
      return { conductor: app.get(Conductor), close: () => app.close() };
    }

    const settledBy = async (id: string) =>
      (
        await apps.database.query<{ settled_by: string | null }>(
          'select settled_by from conductor.outcome where id = $1',
          [id],
        )
      )[0]?.settled_by;
    const status = async (id: string) =>
      (
        await apps.database.query<{ status: number }>(
          'select status from conductor.run where id = $1',
          [id],
        )
      )[0]?.status;
    const SUSPENDED = 2;

    it('O2 workers of this version go on while the next one upgrades the schema under them, and both do each other’s work', async () => {
      const today = await startToday();
      const running = await today.conductor.invoke({ name: 'held' });
      await heldBack.reached;
      const next = await startNext();
      await expect(installed()).resolves.toEqual([{ version: 2, min_compatible: 1 }]);
      heldBack.open();
      await expect(running.result({ timeout: '30s' })).resolves.toBe('today');
      await expect(settledBy(running.id)).resolves.toBeNull();

      const both = await today.conductor.invokeMany({ name: 'together' }, [
        { payload: 1 },
        { payload: 2 },
      ]);
      const results = await Promise.all(both.map((handle) => handle.result({ timeout: '30s' })));
      expect(results.map(String).toSorted()).toEqual(['next', 'today']);
      const settled = await Promise.all(both.map(({ id }) => settledBy(id)));
      expect(settled.map((by) => by ?? 'today').toSorted()).toEqual(['next', 'today']);

      // begun by the one, finished by the other: first whoever takes it, then whoever is left
      const across = await next.conductor.invoke({ name: 'across' });
      await until(async () => (await status(across.id)) === SUSPENDED);
      const [step] = await next.conductor.steps(across.id);
      const begunBy = step!.result as string;
      await (begunBy === 'today' ? today : next).close();
      const reader = await apps.start({ role: 'client' });
      const finishedBy = begunBy === 'today' ? 'next' : 'today';
      await expect(reader.conductor.handle(across.id).result({ timeout: '30s' })).resolves.toEqual([
        begunBy,
        finishedBy,
      ]);
      await expect(
        apps.database.query('select count(*)::int as n from conductor.failure'),
      ).resolves.toEqual([{ n: 0 }]);
    });

    it('O2 a worker that runs when newer code no longer allows it claims nothing more and says so; what it runs goes on', async () => {
      const today = await startToday();
      const running = await today.conductor.invoke({ name: 'held' });
      await heldBack.reached;
      // as the migration of a version after the next one does
      await open(nextVersion);
      await apps.database.query(
        'update conductor.installation set version = 2, min_compatible = 2',
      );
      await until(() => lines.some((line) => /claims nothing from now on.*Upgrade/.test(line)));
      heldBack.open();
      await expect(running.result({ timeout: '30s' })).resolves.toBe('today');
      const asked = await today.conductor.invoke({ name: 'held' });
      await startNext();
      await expect(asked.result({ timeout: '30s' })).resolves.toBe('next');
      expect(lines.filter((line) => line.includes('claims nothing'))).toHaveLength(1);
    });
  });
});
