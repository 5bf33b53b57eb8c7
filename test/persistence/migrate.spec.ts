import { systemClock } from '../../lib/common/clock.js';
import { Database } from '../../lib/persistence/database.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

type Migrations = 'auto' | 'verify' | 'off';

describe('the schema', () => {
  let test: TestDatabase;
  const opened: Database[] = [];

  async function open(migrations: Migrations, schema = 'conductor'): Promise<Database> {
    const database = new Database({ poolSize: 2, schema, migrations }, systemClock);
    opened.push(database);
    await database.open({ url: test.url });
    return database;
  }

  beforeEach(async () => {
    test = await createTestDatabase();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map((database) => database.close()));
    await test.drop();
  });

  it('is installed once, however many processes boot at the same time', async () => {
    await Promise.all(Array.from({ length: 6 }, () => open('auto')));
    await expect(test.query('select name from conductor.migration')).resolves.toHaveLength(1);
    await expect(test.query('select version from conductor.installation')).resolves.toEqual([
      { version: 1 },
    ]);
    await expect(open('verify')).resolves.toBeInstanceOf(Database);
    await expect(open('off')).resolves.toBeInstanceOf(Database);
  });

  it('has the name it is given, and touches no other', async () => {
    await test.query('create schema other');
    await test.query('create table other.run (kept int)');
    await open('auto', 'other_conductor');
    await expect(open('off')).rejects.toMatchObject({
      code: 'CONDUCTOR_SCHEMA_VERSION',
      reason: 'missing',
    });
    await expect(test.query('select kept from other.run')).resolves.toEqual([]);
    await expect(
      test.query(`select 1 from pg_namespace where nspname = 'conductor'`),
    ).resolves.toEqual([]);
  });

  it('is not installed by a process that only verifies, which says what is pending', async () => {
    const refused = open('verify');
    await expect(refused).rejects.toMatchObject({
      code: 'CONDUCTOR_SCHEMA_VERSION',
      reason: 'behind',
    });
    await expect(refused).rejects.toThrow(/Initial1764000000000/);
    await expect(
      test.query(`select 1 from pg_namespace where nspname = 'conductor'`),
    ).resolves.toEqual([]);
  });

  it('refuses code that is older than it allows', async () => {
    await open('auto');
    await test.query('update conductor.installation set version = 3, min_compatible = 2');
    await expect(open('auto')).rejects.toMatchObject({
      code: 'CONDUCTOR_SCHEMA_VERSION',
      reason: 'ahead',
    });
    await test.query('update conductor.installation set min_compatible = 1'); // newer, but this code may work beside it
    await expect(open('auto')).resolves.toBeInstanceOf(Database);
  });

  it('reports an unreachable server by a typed error that shows no password', async () => {
    const nowhere = new Database(
      { poolSize: 2, schema: 'conductor', migrations: 'auto' },
      systemClock,
    );
    const refused = nowhere.open({ url: 'postgres://me:s3cret@127.0.0.1:1/shop' });
    await expect(refused).rejects.toMatchObject({
      code: 'CONDUCTOR_DATABASE_UNAVAILABLE',
      where: '127.0.0.1:1/shop',
    });
    await expect(refused).rejects.not.toThrow(/s3cret/);
  });
});
