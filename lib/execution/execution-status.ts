/** Where an execution stands. The last three are final. */
export type ExecutionStatus =
  'pending' | 'running' | 'suspended' | 'blocked' | 'completed' | 'failed' | 'cancelled';

/** How a status is stored: a smallint, so that the hot row and its index stay narrow. Never renumber. */
export const statusCode = {
  pending: 0,
  running: 1,
  suspended: 2,
  blocked: 3,
  completed: 4,
  failed: 5,
  cancelled: 6,
} as const satisfies Record<ExecutionStatus, number>;

const names = Object.keys(statusCode) as ExecutionStatus[];

export const liveStatuses = ['pending', 'running', 'suspended', 'blocked'] as const;
export const finalStatuses = ['completed', 'failed', 'cancelled'] as const;

export type FinalStatus = (typeof finalStatuses)[number];

export function statusName(code: number): ExecutionStatus {
  const name = names[code];
  if (name === undefined) throw new RangeError(`No execution status is stored as ${code}.`);
  return name;
}

export function isFinal(status: ExecutionStatus): status is FinalStatus {
  return statusCode[status] >= statusCode.completed;
}
