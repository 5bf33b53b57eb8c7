import type { Client } from 'pg';

type Query = (...args: unknown[]) => unknown;

/** What is sent on the connection after a ROLLBACK is refused, until it is unsealed: a body that is still at work would write outside
 *  its transaction, and Postgres would commit each statement at once.
 *  @returns unseals it */
export function sealAfterRollback(client: Client): () => void {
  const sealed = client as unknown as { query: Query };
  const before = Object.getOwnPropertyDescriptor(client, 'query');
  const { query } = sealed;
  let over = false;
  sealed.query = (...args) => {
    if (args[0] === 'ROLLBACK') over = true;
    else if (over) throw new Error('The transaction of this step has been rolled back.');
    return query.apply(client, args);
  };
  return () => {
    if (before === undefined) Reflect.deleteProperty(client, 'query');
    else Object.defineProperty(client, 'query', before);
  };
}
