/** The engine's functions in the database, and what is sent without one: the notification, and the COMMIT of a step. */
export const sentStatements = [
  'resolve_tasks',
  'register_tasks',
  'offer_blocked',
  'register_worker',
  'heartbeat',
  'claim',
  'start_alone',
  'save_steps',
  'begin_step',
  'record_step',
  'commit',
  'find_step',
  'suspend',
  'settle',
  'enqueue',
  'enqueue_within',
  'pg_notify',
  'end_overdue',
  'release_orphans',
  'recover',
  'resume',
  'cancel',
  'rerun',
  'retryable',
  'runnable',
  'announce_stop',
  'deregister_worker',
  'prune',
] as const;

export type SentStatement = (typeof sentStatements)[number];

/** Moments beside the statements. A new one is named here and reached in one line: `this.clock.reach?.('…')`. */
const moments = [
  'before-listen',
  'after-listen',
  'before-handler',
  'after-handler',
  'before-body',
  'after-body',
  'after-failed-body',
  'before-retry',
  'before-delivery',
] as const;

/** Every moment between which something durable, or something that user code sees, happens: a process that ends at one of
 *  them must leave nothing that the next one cannot go on from. */
export const faultPoints = [
  ...sentStatements.flatMap(
    (statement) => [`before-${statement}-sent`, `after-${statement}-reply`] as const,
  ),
  ...moments,
];

export type FaultPoint = (typeof faultPoints)[number];
