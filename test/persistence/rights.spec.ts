import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { Statements } from '../support/persistence.js';

describe('rights', () => {
  const role = `conductor_stranger_${randomBytes(4).toString('hex')}`;
  let db: Statements;

  beforeAll(async () => {
    db = await Statements.open();
    await db.test.query(`create role ${role} nologin`);
  });

  afterAll(async () => {
    await db.test.query(`drop owned by ${role}`);
    await db.test.query(`drop role ${role}`);
    await db.close();
  });

  it('no function lends its owner’s to its caller', async () => {
    const functions = await db.test.query<{ name: string; lends: boolean }>(
      `select proname as name, prosecdef as lends from pg_proc where pronamespace = 'conductor'::regnamespace`,
    );
    expect(functions.map(({ name }) => name)).toContain('claim');
    expect(functions.filter(({ lends }) => lends)).toEqual([]);
  });

  it.each([
    ['reads nothing', 'select payload from conductor.execution'],
    ['calls nothing', 'select conductor.clock()'],
  ])('a role that was granted nothing %s', async (_what, statement) => {
    const client = new pg.Client(db.test.url);
    await client.connect();
    try {
      await client.query(`set role ${role}`);
      await expect(client.query(statement)).rejects.toMatchObject({ code: '42501' });
    } finally {
      await client.end();
    }
  });
});
