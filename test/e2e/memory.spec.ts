import { suspendMany, cases } from '../memory/suspended.js';
import { createTestDatabase, type TestDatabase } from '../support/test-database.js';

/** `npm run test:memory` does the same with 100,000, and tells what memory they took. */
const COUNT = 150 * cases.length;

describe('suspended activations', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase();
  });
  afterAll(() => database.drop());

  it('leave nothing alive: no context, no journal, nothing that their handlers made', async () => {
    const { suspended, made, alive } = await suspendMany(database, COUNT);
    expect(suspended).toBe(COUNT);
    expect(made).toBeGreaterThanOrEqual(4 * COUNT);
    expect(Object.fromEntries(alive)).toEqual(Object.fromEntries(cases.map((name) => [name, 0])));
  }, 240_000);
});
