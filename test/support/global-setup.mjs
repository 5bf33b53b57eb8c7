// jest loads this file with plain import, outside its own transforms: TypeScript is registered here
import '@swc-node/register/esm-register';

/** One throw-away Postgres for the whole run, or the one of DATABASE_URL. */
export default async function globalSetup() {
  const { startPostgres } = await import('../../lib/embedded/index.ts');
  globalThis.testPostgres = await startPostgres({ settings: { max_connections: '200' } });
  process.env.TEST_POSTGRES_URL = globalThis.testPostgres.url;
}
