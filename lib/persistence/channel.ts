/** The channel on which a queue's workers are told that there may be work. It bears no payload: the row is the truth. */
export function channelOf(schema: string, queueId: number): string {
  return `${schema}:q${queueId}`;
}

/** The same, in SQL. `s` is the quoted schema. */
export function channelOfQueue(s: string, queueId: string): string {
  return `'${s.slice(1, -1)}:q' || ${queueId}`;
}

/** The channel on which a queue's workers are told that something of theirs was to be cancelled: one of their own, since it asks for a
 *  heartbeat and not for a claim. */
export function cancelChannelOf(schema: string, queueId: number): string {
  return `${schema}:c${queueId}`;
}
