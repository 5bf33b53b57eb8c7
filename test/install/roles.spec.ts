import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import pg from 'pg';
import { systemClock } from '../../lib/common/clock.js';
import { MissingPrivilegeError, Step, Task, type TaskContext } from '../../lib/index.js';
import { Database } from '../../lib/persistence/database.js';
import { schemaCode, type SchemaCode } from '../../lib/persistence/schema-code.js';
import { testApps } from '../support/test-app.js';
import { nextVersion } from './next-version.js';

const ROLE = `conductor_test_${process.pid}_${randomBytes(4).toString('hex')}`;
const PASSWORD = randomBytes(12).toString('hex');

@Injectable()
class Work {
  private failed = false;

  @Step()
  async load(n: number) {
    return n * 2;
  }

  @Task('work', { retry: { maxAttempts: 3, backoff: () => 1 } })
  async work({ payload }: { payload: number }, ctx: TaskContext) {
    const twice = await this.load(payload);
    await ctx.step('caught', () => Promise.reject(new Error('no'))).catch(() => undefined);
    await ctx.sleep('nap', 1);
    if (!this.failed) {
      this.failed = true;
      throw new Error('once');
    }
    return twice;
  }
}

describe('a role without superuser', () => {
  const apps = testApps();

  async function asAdmin(sql: string): Promise<void> {
    const client = new pg.Client(process.env['TEST_POSTGRES_URL']);
    await client.connect();
    try {
      await client.query(sql);
    } finally {
      await client.end();
    }
  }
  beforeAll(() => asAdmin(`create role "${ROLE}" login password '${PASSWORD}'`));
  afterAll(() => asAdmin(`drop role "${ROLE}"`));

  const dba = (sql: string) => apps.database.query(sql);
  const url = () => {
    const of = new URL(apps.database.url);
    of.username = ROLE;
    of.password = PASSWORD;
    return of.href;
  };
  const databaseName = () => new URL(apps.database.url).pathname.slice(1);

  interface Opening {
    migrations?: 'auto' | 'verify' | 'off';
    role?: 'all' | 'client';
    code?: SchemaCode;
    by?: string;
  }

  async function open({ migrations = 'auto', role, code, by = url() }: Opening = {}) {
    const settings = { poolSize: 2, schema: 'conductor', migrations, role };
    const database = new Database(settings, systemClock, code);
    apps.keep(database);
    await database.open({ url: by });
    return database;
  }

  const installedByDba = (code = schemaCode) => open({ by: apps.database.url, code });

  async function refusal(opening?: Opening): Promise<MissingPrivilegeError> {
    const refused: unknown = await open(opening).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(MissingPrivilegeError);
    return refused as MissingPrivilegeError;
  }

  /** Does what an error says. */
  async function grant({ grants }: MissingPrivilegeError): Promise<void> {
    for (const statement of grants) await dba(statement);
  }

  async function works(options: { schema?: string; migrations?: 'auto' | 'verify' | 'off' }) {
    const { conductor } = await apps.start({ url: url(), providers: [Work], ...options });
    await expect(conductor.invokeAndWait({ name: 'work' }, 21, { timeout: '30s' })).resolves.toBe(
      42,
    );
  }

  it('O2 that may create in the database installs a schema of any name and works in it', async () => {
    await dba(`grant create on database "${databaseName()}" to "${ROLE}"`);
    await works({ schema: 'durable_work_2' });
    await expect(
      dba(
        `select schema_name, schema_owner from information_schema.schemata where schema_name in ('conductor', 'durable_work_2')`,
      ),
    ).resolves.toEqual([{ schema_name: 'durable_work_2', schema_owner: ROLE }]);
    await expect(dba(`select rolsuper from pg_roles where rolname = '${ROLE}'`)).resolves.toEqual([
      { rolsuper: false },
    ]);
  });

  it('O2 that may not create in the database installs into a schema that was made for it', async () => {
    await dba('create schema conductor');
    await dba(`grant usage, create on schema conductor to "${ROLE}"`);
    await works({});
    await expect(
      dba(`select has_database_privilege('${ROLE}', current_database(), 'create') as may`),
    ).resolves.toEqual([{ may: false }]);
  });

  it('O2 without any right is told what it lacks, and what it is told helps', async () => {
    const refused = await refusal();
    expect(refused.message).toContain(`role "${ROLE}" lacks CREATE on the database`);
    await grant(refused);
    await expect(open()).resolves.toBeInstanceOf(Database);
  });

  it('O2 with a schema that it may not use is told what it lacks, and what it is told helps', async () => {
    await dba('create schema conductor');
    const refused = await refusal();
    expect(refused.missing).toEqual(['USAGE and CREATE on the schema "conductor"']);
    await grant(refused);
    await expect(open()).resolves.toBeInstanceOf(Database);
  });

  it.each(['auto', 'verify', 'off'] as const)(
    'O2 that may only use the tables works with "%s"; without, it is told of all that it lacks',
    async (migrations) => {
      await installedByDba();
      const refused = await refusal({ migrations });
      const tables = await dba(
        `select tablename from pg_tables where schemaname = 'conductor' order by 1`,
      );
      const all = tables.map(({ tablename }) => String(tablename)).join(', ');
      expect(refused.missing).toEqual([
        'USAGE on the schema "conductor"',
        `DELETE on ${all}`,
        `INSERT on ${all}`,
        `SELECT on ${all}`,
        `UPDATE on ${all}`,
      ]);
      await grant(refused);
      await works({ migrations });
    },
  );

  it('O2 that was given the tables is given those of later versions too', async () => {
    await installedByDba();
    await grant(await refusal());
    await dba('create table conductor.later (n int)');
    await expect(
      dba(
        `select has_table_privilege('${ROLE}', 'conductor.later', 'select, insert, update, delete') as may`,
      ),
    ).resolves.toEqual([{ may: true }]);
  });

  it('O2 whose server lets nobody execute functions unasked is told so', async () => {
    await installedByDba();
    await grant(await refusal());
    await dba('revoke execute on all functions in schema conductor from public');
    const refused = await refusal();
    expect(refused.missing).toEqual(['EXECUTE on the functions of "conductor"']);
    await grant(refused);
    await works({});
  });

  it('O2 of a client needs less: what it is told is enough to invoke, cancel, resume and read', async () => {
    await installedByDba();
    const refused = await refusal({ role: 'client' });
    expect(refused.message).not.toMatch(/DELETE on (?!run;)|worker/);
    await grant(refused);
    await apps.start({ providers: [Work] });
    const { conductor } = await apps.start({ url: url(), role: 'client' });
    const handle = await conductor.invoke({ name: 'work' }, 4);
    await expect(handle.result({ timeout: '30s' })).resolves.toBe(8);
    const later = await conductor.invoke({ name: 'work' }, 4, { delay: '1h' });
    await expect(later.cancel({ reason: 'not now' })).resolves.toBe('cancelled');
    await expect(conductor.resume({ task: 'work' })).resolves.toBe(0);
    await expect(conductor.get(handle.id)).resolves.toMatchObject({ status: 'completed' });
    await expect(conductor.steps(handle.id)).resolves.not.toHaveLength(0);
    await expect(conductor.list()).resolves.toMatchObject({
      items: [{ id: later.id }, { id: handle.id }],
    });
    await expect(conductor.queues()).resolves.toHaveLength(1);
  });

  it('O2 that does not own the tables cannot upgrade them, and is told whose member it has to be', async () => {
    const [{ owner }] = (await dba('select current_user as owner')) as [{ owner: string }];
    await installedByDba();
    await grant(await refusal());
    const refused = await refusal({ code: nextVersion });
    expect(refused.message).toContain(`the role "${owner}", which owns the tables`);
    expect(refused.grants).toEqual([`GRANT "${owner}" TO "${ROLE}"`]);
    await installedByDba(nextVersion);
    await expect(open({ code: nextVersion })).resolves.toBeInstanceOf(Database);
  });
});
