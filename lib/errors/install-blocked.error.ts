import { ConductorError } from './conductor.error.js';

/** A session of the database that holds what an installation waits for. */
export interface BlockingSession {
  pid: number;
  application: string;
  user: string;
  /** As in pg_stat_activity: `active`, `idle in transaction`… Postgres shows it of one's own sessions only. */
  state?: string;
  transactionSeconds?: number;
}

/** The conductor's schema could not be installed or upgraded in time, because another session holds a lock. Nothing was changed. */
export class InstallBlockedError extends ConductorError {
  readonly code = 'CONDUCTOR_INSTALL_BLOCKED';

  constructor(
    readonly schema: string,
    readonly waitedMs: number,
    /** Who holds it: none if it could not be told any more. */
    readonly blockers: readonly BlockingSession[],
  ) {
    const by = blockers.map(describe).join('; ');
    const [first] = blockers;
    super(
      `The schema "${schema}" could not be installed or upgraded: for ${Math.round(waitedMs / 1_000)} s a lock was held ` +
        (first === undefined
          ? 'by another session. Look into pg_locks for whoever holds it, then start again.'
          : `by ${by}. Wait for its end, or end it with select pg_terminate_backend(${first.pid}), then start again.`),
    );
  }
}

function describe({ pid, application, user, state, transactionSeconds }: BlockingSession): string {
  const facts = [
    ...(application === '' ? [] : [application]),
    `role ${user}`,
    ...(state === undefined ? [] : [state]),
    ...(transactionSeconds === undefined
      ? []
      : [`in a transaction for ${Math.round(transactionSeconds)} s`]),
  ];
  return `session ${pid} (${facts.join(', ')})`;
}
