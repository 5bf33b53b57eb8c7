import type { PoolClient } from 'pg';
import type { DataSource } from 'typeorm';
import type { Clock } from '../common/clock.js';
import { OtherDatabaseError } from '../errors/other-database.error.js';
import { poolOf } from './connection.js';
import type { Database } from './database.js';
import { codeOf } from './database-error.js';
import { InstallationEntity } from './entities/installation.entity.js';
import type { Fence } from './repositories/worker.repository.js';
import { StepTransaction } from './step-transaction.js';

/** undefined_table, invalid_schema_name, insufficient_privilege. */
const invisible: unknown[] = ['42P01', '3F000', '42501'];

/** The app's own DataSource, which knows its entities, for steps whose writes are committed together with their record. */
export class StepTransactions {
  constructor(
    private readonly source: DataSource,
    private readonly name: string,
    private readonly idleTimeoutMs: number,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  /** @throws OtherDatabaseError unless it leads to the conductor's own schema, and may write there */
  async check(): Promise<void> {
    const seen = await this.seen();
    const [own] = await this.database.repository(InstallationEntity).find();
    if (seen?.id !== own?.id) throw this.refusal('other');
    if (!seen.allowed) throw this.refusal('refused');
    this.guard();
  }

  /** A server that ends a new connection at once may say so in the same packet that completes it: before TypeORM listens, so that its
   *  error would end the process. Steps make connections just when the database comes back. */
  private guard(): void {
    const pool = poolOf(this.source);
    if (!pool.listeners('connect').includes(listenForErrors)) pool.on('connect', listenForErrors);
  }

  open(fence: Fence): StepTransaction {
    return new StepTransaction(this.source, fence, this.idleTimeoutMs, this.database, this.clock);
  }

  private async seen(): Promise<{ id: string; allowed: boolean }> {
    const { schema } = this.database;
    const may = (table: string, privileges: string[]) =>
      privileges.map((what) => `has_table_privilege('"${schema}".${table}', '${what}')`);
    const allowed = [
      ...may('run', ['select', 'update']),
      ...may('step', ['select', 'insert', 'update']),
    ];
    try {
      const rows = await this.source.query<{ id: string; allowed: boolean }[]>(
        `select id, ${allowed.join(' and ')} as allowed from "${schema}".installation`,
      );
      return rows[0] ?? { id: '', allowed: false };
    } catch (error) {
      if (invisible.includes(codeOf(error))) throw this.refusal('invisible');
      throw error;
    }
  }

  private refusal(reason: OtherDatabaseError['reason']): OtherDatabaseError {
    return new OtherDatabaseError(reason, this.name, this.database.schema);
  }
}

/** Pool and TypeORM have listeners of their own, which act on it. */
function listenForErrors(client: PoolClient): void {
  client.on('error', () => undefined);
}
