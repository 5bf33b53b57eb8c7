import { Statements } from '../support/persistence.js';

describe('a connection of ours', () => {
  let db: Statements;

  beforeAll(async () => {
    db = await Statements.open();
  });

  afterAll(() => db.close());

  it('FC1 that the server ends while nobody asks it anything ends no process', async () => {
    const client = db.database.ownClient();
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    const ended = new Promise((resolve) => client.once('end', resolve));
    await db.test.query('select pg_terminate_backend($1)', [rows[0]!.pid]); // Node would throw its error event
    await ended;
    await expect(client.query('select 1')).rejects.toThrow(/not queryable/);
  });
});
