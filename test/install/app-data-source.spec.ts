import { Injectable, type DynamicModule } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import {
  Column,
  DataSource,
  Entity,
  PrimaryGeneratedColumn,
  type MigrationInterface,
  type QueryRunner,
  type Repository,
} from 'typeorm';
import {
  Conductor,
  ConductorModule,
  Task,
  type ConnectionOptions,
  type TaskContext,
} from '../../lib/index.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

/** Named like a table of the conductor. */
@Entity({ name: 'execution' })
class Order {
  @PrimaryGeneratedColumn()
  id!: number;

  @Column('text')
  what!: string;
}

class AppTable1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('create table if not exists by_migration (n int)');
  }
  async down(): Promise<void> {}
}

@Injectable()
class Orders {
  constructor(@InjectRepository(Order) readonly orders: Repository<Order>) {}

  @Task('order')
  async order({ payload }: { payload: string }) {
    return (await this.orders.save({ what: payload })).what;
  }

  @Task('later')
  async later(_: unknown, ctx: TaskContext) {
    await ctx.sleep('long', '1d');
  }
}

const places = [
  { where: 'in the default schema', schema: undefined },
  { where: 'in a schema of its own', schema: 'shop' },
];
const connections = [
  { by: 'the url', connection: (url: string): ConnectionOptions => ({ url }) },
  { by: 'the app’s DataSource', connection: (): ConnectionOptions => ({ dataSource: 'default' }) },
];
const orders = ['TypeOrmModule', 'ConductorModule'] as const;
const cases = places.flatMap((place) =>
  connections.flatMap((connection) => orders.map((first) => ({ ...place, ...connection, first }))),
);

describe('an app with a DataSource of its own that drops and synchronizes its schema', () => {
  const apps = testApps();

  interface Shape {
    schema?: string;
    connection: (url: string) => ConnectionOptions;
    first: (typeof orders)[number];
  }

  async function boot({ schema, connection, first }: Shape) {
    const { url } = apps.database;
    const modules: DynamicModule[] = [
      TypeOrmModule.forRoot({
        type: 'postgres',
        url,
        schema,
        synchronize: true,
        dropSchema: true,
        autoLoadEntities: true,
        migrations: [AppTable1700000000000],
        migrationsRun: true,
        migrationsTableName: 'migration', // as the conductor’s is called
        extra: { options: schema && `-c search_path=${schema}` },
        retryAttempts: 0,
      }),
      ConductorModule.forRoot({ connection: connection(url) }),
    ];
    if (first === 'ConductorModule') modules.reverse();
    const module = await Test.createTestingModule({
      imports: [...modules, TypeOrmModule.forFeature([Order])],
      providers: [Orders],
    })
      .setLogger({ log() {}, warn() {}, error() {} })
      .compile();
    apps.keep(module);
    await module.init();
    return module;
  }

  const rows = (sql: string) => apps.database.query(sql);

  it.each(cases)(
    'O3 $where, reached by $by, $first imported first: the conductor’s tables survive each boot, and its migrations leave the app’s alone',
    async ({ schema, ...rest }) => {
      if (schema !== undefined) await rows(`create schema ${schema}`);
      const place = schema ?? 'public';
      const before = await boot({ schema, ...rest });
      const conductor = before.get(Conductor);
      const done = await conductor.invoke({ name: 'order' }, 'tea');
      await expect(done.result({ timeout: '20s' })).resolves.toBe('tea');
      const waiting = await conductor.invoke({ name: 'later' });
      await until(async () => (await waiting.status()).status === 'suspended');
      await expect(rows(`select what from ${place}.execution`)).resolves.toEqual([{ what: 'tea' }]);
      const history = await rows('select * from conductor.migration');
      await before.close();

      const after = await boot({ schema, ...rest });
      // the app's own tables were dropped and made again
      await expect(rows(`select what from ${place}.execution`)).resolves.toEqual([]);
      await expect(rows(`select name from ${place}.migration`)).resolves.toEqual([
        { name: 'AppTable1700000000000' },
      ]);
      await expect(rows(`select n from ${place}.by_migration`)).resolves.toEqual([]);
      // the conductor's were not
      await expect(rows('select * from conductor.migration')).resolves.toEqual(history);
      const again = after.get(Conductor);
      await expect(again.handle(done.id).result({ timeout: '20s' })).resolves.toBe('tea');
      await expect(again.handle(waiting.id).status()).resolves.toMatchObject({
        status: 'suspended',
      });
      await expect(
        again.invokeAndWait({ name: 'order' }, 'milk', { timeout: '20s' }),
      ).resolves.toBe('milk');
      const { entityMetadatas } = after.get(DataSource);
      expect(entityMetadatas.map(({ target }) => target)).toEqual([Order]);
    },
  );

  it.each(orders)(
    'O3 that keeps its tables in the conductor’s schema is refused before anything is installed, %s imported first',
    async (first) => {
      await rows('create schema conductor');
      const refused = boot({ schema: 'conductor', connection: (url) => ({ url }), first });
      await expect(refused).rejects.toMatchObject({
        code: 'CONDUCTOR_SCHEMA_VERSION',
        reason: 'occupied',
      });
      await expect(refused).rejects.toThrow(
        /"conductor".*by_migration, execution, .*option schema/,
      );
      await expect(
        rows(
          `select relname from pg_class where relnamespace = 'conductor'::regnamespace and relname = 'run'`,
        ),
      ).resolves.toEqual([]);
    },
  );
});
