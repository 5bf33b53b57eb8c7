/** The channel on which a queue's workers are told that there may be work. It bears no payload: the row is the truth. */
export function channelOf(schema: string, queueId: number): string {
  return `${schema}:q${queueId}`;
}

/** The same, in SQL. `s` is the quoted schema. */
export function channelOfQueue(s: string, queueId: string): string {
  return `'${s.slice(1, -1)}:q' || ${queueId}`;
}
