import type { TypeOrmModuleOptions } from '@nestjs/typeorm';
import type { ConductorModuleOptions } from '../../lib/index.js';
import { AuditedPackage } from './audit/audited-package.entity.js';
import { StepBody } from './audit/step-body.entity.js';

/** The app's own tables, and the conductor's. Both are dropped when the sample begins. */
export const APP_SCHEMA = 'audit_sample';
export const CONDUCTOR_SCHEMA = 'conductor_audit_sample';

export const LEASE_MS = 3_000;

/** The packages that one worker audits at once. */
export const CONCURRENCY = 4;

/** What one worker reads at most. Without a bound the audit would be over before a lost worker is missed. */
export const BYTES_PER_SECOND = 8_000_000;

export function databaseOptions(url: string | undefined) {
  if (!url) throw new Error('DATABASE_URL is not set. Run the sample by `npm run sample`.');
  return {
    type: 'postgres',
    url,
    schema: APP_SCHEMA,
    entities: [AuditedPackage, StepBody],
  } satisfies TypeOrmModuleOptions;
}

/** The conductor connects to where the app's own DataSource does, with a pool and a schema of its own. */
export function conductorOptions(role: 'client' | 'worker'): ConductorModuleOptions {
  return {
    connection: { dataSource: 'default' },
    schema: CONDUCTOR_SCHEMA,
    role,
    lease: LEASE_MS,
    queues: { default: { concurrency: CONCURRENCY } },
  };
}
