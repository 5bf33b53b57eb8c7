import type { Query } from './cluster.js';

/** A change that Postgres accepted. What was rolled back left nothing here. */
export interface Change {
  /** Taken under the lock of the execution's row, so it orders an execution's changes as they took effect. */
  seq: number;
  /** Milliseconds since 1970 by the server's clock. */
  at: number;
  txid: string;
  /** The engine's function that was called, such as `settle`. */
  statement: string | null;
  subject: 'run' | 'outcome' | 'step';
  op: 'insert' | 'update' | 'delete';
  execution: string;
  token: string | null;
  oldToken: string | null;
  workerId: number | null;
  oldWorkerId: number | null;
  /** A status of an execution, or of a record where the subject is a step. */
  status: number | null;
  oldStatus: number | null;
  claims: number | null;
  /** Whether a handler had been started: only such an execution is charged when its process vanishes. */
  oldStarted: boolean | null;
  /** Of a step. */
  name: string | null;
  value: string | null;
}

const recordChange = (name: string, columns: Record<string, string>) =>
  `create function audit.${name}() returns trigger language plpgsql as $body$
   begin
     insert into audit.change (txid, statement, subject, op, ${Object.keys(columns).join(', ')})
     values (pg_current_xact_id()::text, substring(current_query() from '\\.([a-z_]+)\\('), tg_table_name, lower(tg_op),
             ${Object.values(columns).join(', ')});
     return null;
   end $body$`;

/** Watches the conductor's tables, which have to exist, from now on. */
export async function installAudit(query: Query, schema = 'conductor'): Promise<void> {
  await query('create schema audit');
  await query(
    `create table audit.change (
       seq bigint generated always as identity primary key,
       at timestamptz not null default clock_timestamp(),
       txid text not null, statement text, subject text not null, op text not null, execution uuid not null,
       token uuid, old_token uuid, worker_id int, old_worker_id int, status smallint, old_status smallint,
       claims int, old_started boolean, name text, value text)`,
  );
  await query(
    recordChange('run_changed', {
      execution: 'coalesce(new.id, old.id)',
      token: 'new.token',
      old_token: 'old.token',
      worker_id: 'new.worker_id',
      old_worker_id: 'old.worker_id',
      status: 'new.status',
      old_status: 'old.status',
      claims: 'coalesce(new.claims, old.claims)',
      old_started: 'old.started',
    }),
  );
  await query(
    recordChange('outcome_changed', {
      execution: 'coalesce(new.id, old.id)',
      token: 'coalesce(new.token, old.token)',
      status: 'new.status',
      old_status: 'old.status',
      claims: 'coalesce(new.claims, old.claims)',
    }),
  );
  await query(
    recordChange('step_changed', {
      execution: 'coalesce(new.execution_id, old.execution_id)',
      token: 'coalesce(new.token, old.token)',
      old_token: 'old.token',
      status: 'new.status',
      old_status: 'old.status',
      name: 'coalesce(new.name, old.name)',
      value: 'new.value::text',
    }),
  );
  await query('create table audit.announced_stop (worker_id int not null)');
  await query(
    `create function audit.stop_announced() returns trigger language plpgsql as $body$
     begin
       insert into audit.announced_stop values (new.id);
       return null;
     end $body$`,
  );
  await query(
    `create trigger audit after update of stopping on "${schema}".worker
     for each row when (new.stopping) execute function audit.stop_announced()`,
  );
  await query(
    'create table audit.registration (worker_id int not null, at timestamptz not null, steady_since timestamptz not null)',
  );
  await query(
    `create function audit.registered() returns trigger language plpgsql as $body$
     begin
       insert into audit.registration values (new.id, new.started_at, new.steady_since);
       return null;
     end $body$`,
  );
  await query(
    `create trigger audit_registered after insert on "${schema}".worker
     for each row execute function audit.registered()`,
  );
  for (const table of ['run', 'outcome', 'step']) {
    await query(
      `create trigger audit after insert or update or delete on "${schema}".${table}
       for each row execute function audit.${table}_changed()`,
    );
  }
}

export function readChanges(query: Query): Promise<Change[]> {
  return query<Change>(
    `select seq::float8, extract(epoch from at)::float8 * 1000 as at, txid, statement, subject, op, execution, token,
            old_token as "oldToken", worker_id as "workerId", old_worker_id as "oldWorkerId", status,
            old_status as "oldStatus", claims, old_started as "oldStarted", name, value
     from audit.change order by seq`,
  );
}

/** A worker's beginning. In milliseconds since 1970. */
export interface Registration {
  id: number;
  at: number;
  /** Since when, as far as it learned from others, the database has answered. */
  steadySince: number;
}

export function readRegistrations(query: Query): Promise<Registration[]> {
  return query<Registration>(
    `select worker_id as id, extract(epoch from at)::float8 * 1000 as at,
            extract(epoch from steady_since)::float8 * 1000 as "steadySince"
     from audit.registration order by worker_id`,
  );
}

/** Numbers of the workers that said that they were stopping. */
export async function readAnnouncedStops(query: Query): Promise<number[]> {
  const rows = await query<{ id: number }>('select worker_id as id from audit.announced_stop');
  return rows.map(({ id }) => id);
}
