import { MAX_VALUE_BYTES } from '../../execution/codec.js';
import { statusCode as status } from '../../execution/execution-status.js';
import { MAX_HEADERS_BYTES } from '../../execution/headers.js';
import { MAX_ERROR_BYTES } from '../../execution/serialized-error.js';
import { MAX_SEQ, recordStatus } from '../../execution/step-record.js';

/** The size that a value comes with, before it is compressed. Not octet_length of its text, which would read a large value again
 *  whenever something else in its row changes. 20,000 inserts took as long with it as without. */
const atMost = (column: string, bytes: string | number) =>
  `pg_column_size(${column}) <= ${bytes} + 4`;

/** The first schema. What is asked for (`execution`) is append-only and also the register of ids; what is not finished has
 *  one narrow row in `run`, whose status is the mutex of everything; what has ended is appended to `outcome`. So history
 *  of any size lies outside the tables that a claim reads. */
export const tables = (s: string): string[] => [
  `create table ${s}.installation (
     id uuid primary key default gen_random_uuid(),
     version int not null,
     min_compatible int not null)`,

  `create table ${s}.queue (
     id int generated always as identity primary key,
     name text not null unique)`,

  `create table ${s}.task (
     id int generated always as identity primary key,
     queue_id int not null references ${s}.queue,
     name text not null,
     priority smallint not null default 0,
     max_losses int default 3,
     expire_after_ms bigint,
     deadline_ms bigint,
     keep_completed_ms bigint,
     keep_failed_ms bigint,
     settings_version int,
     unique (queue_id, name))`,

  `create table ${s}.execution (
     id uuid primary key,
     task_id int not null,
     priority smallint not null,
     created_at timestamptz not null,
     payload json not null,
     headers json,
     constraint execution_payload_size check (${atMost('payload', MAX_VALUE_BYTES)}),
     constraint execution_headers_size check (${atMost('headers', MAX_HEADERS_BYTES)}))`,

  // fixed-width columns, widest first; the constraints make a row that the state table does not know impossible to store
  `create table ${s}.run (
     id uuid primary key,
     token uuid,
     run_at timestamptz not null,
     started_at timestamptz,
     offer_at timestamptz,
     expires_at timestamptz,
     deadline_at timestamptz,
     task_id int not null,
     worker_id int,
     blocked_by int,
     claims int not null default 0,
     priority smallint not null,
     status smallint not null,
     failures smallint not null default 0,
     losses smallint not null default 0,
     offers smallint,
     alone boolean not null default false,
     started boolean not null default false,
     cancel_requested boolean not null default false,
     constraint run_status check (status between ${status.pending} and ${status.blocked}),
     constraint run_fence check ((status = ${status.running}) = (token is not null) and (status = ${status.running}) = (worker_id is not null)),
     constraint run_blocked check ((status = ${status.blocked}) = (offer_at is not null) and (status = ${status.blocked}) = (blocked_by is not null)),
     constraint run_started check (not started or status = ${status.running}),
     constraint run_cancel check (not cancel_requested or status = ${status.running})
   ) with (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000, autovacuum_analyze_scale_factor = 0.05)`,
  `create index run_ready on ${s}.run (task_id, priority desc, status desc, run_at, id)
     where status in (${status.pending}, ${status.suspended}) and not alone`,
  `create index run_alone on ${s}.run (task_id, run_at) where status in (${status.pending}, ${status.suspended}) and alone`,
  `create index run_worker on ${s}.run (worker_id) where status = ${status.running}`,
  `create index run_blocked on ${s}.run (task_id, offer_at) where status = ${status.blocked}`,

  `create index run_overdue on ${s}.run (least(expires_at, deadline_at)) where expires_at is not null or deadline_at is not null`,

  // the primary key is G2: a second outcome cannot be stored
  `create table ${s}.outcome (
     id uuid primary key,
     token uuid,
     finished_at timestamptz not null,
     started_at timestamptz,
     task_id int not null,
     claims int not null,
     status smallint not null,
     failures smallint not null,
     losses smallint not null,
     pruned boolean not null default false,
     result json,
     error json,
     constraint outcome_size check (${atMost('result', MAX_VALUE_BYTES)} and ${atMost('error', MAX_ERROR_BYTES)}),
     constraint outcome_status check (status between ${status.completed} and ${status.cancelled}),
     constraint outcome_value check (case when pruned then result is null and error is null
       else (status = ${status.completed}) = (result is not null) and (status <> ${status.failed} or error is not null) end)
   )`,
  // each task has its own retention, so what is due is the beginning of each of its parts, whatever else is kept for ever
  `create index outcome_kept on ${s}.outcome (task_id, status, finished_at) where not pruned`,
  `create index outcome_pruned on ${s}.outcome (finished_at) where pruned`,

  `create table ${s}.step (
     execution_id uuid not null,
     token uuid not null,
     recorded_at timestamptz not null,
     due_at timestamptz,
     fingerprint bigint,
     seq int,
     kind smallint not null,
     status smallint not null,
     tries smallint not null,
     optional boolean not null default false,
     alone boolean not null,
     name text not null,
     value json,
     primary key (execution_id, name),
     constraint step_limit check (seq <= ${MAX_SEQ}),
     constraint step_size check (${atMost('value', `case status when ${recordStatus.failed} then ${MAX_ERROR_BYTES} else ${MAX_VALUE_BYTES} end`)}))`,

  // one row for each attempt that failed, diverged or was lost with its worker
  `create table ${s}.failure (
     execution_id uuid not null,
     claim int not null,
     attempt smallint not null,
     failed_at timestamptz not null,
     error json not null,
     primary key (execution_id, claim),
     constraint failure_size check (${atMost('error', MAX_ERROR_BYTES)}))`,

  // a cancel that came while a handler ran: kept beside `run`, whose rows stay narrow, until retention removes the execution
  `create table ${s}.cancellation (
     execution_id uuid primary key,
     token uuid not null,
     requested_at timestamptz not null,
     reason text,
     constraint cancellation_size check (${atMost('reason', MAX_ERROR_BYTES)}))`,

  // which execution was made of which ended one. The time tells it from another execution that is given the same id later on
  `create table ${s}.rerun (
     id uuid not null,
     made_at timestamptz not null,
     source_id uuid not null,
     once boolean not null,
     from_step text,
     primary key (id, made_at))`,
  `create index rerun_source on ${s}.rerun (source_id)`,
  `create unique index rerun_once on ${s}.rerun (source_id) where once`,

  `create table ${s}.worker (
     id int generated always as identity primary key,
     beat_at timestamptz not null,
     steady_since timestamptz not null,
     started_at timestamptz not null,
     lease_ms int not null,
     version int not null,
     dead boolean not null default false,
     stopping boolean not null default false,
     host text not null,
     pid int not null)`,
];
