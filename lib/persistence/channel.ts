/** The channel on which a queue's workers are told that there may be work. It bears no payload: the row is the truth. */
export function channelOf(schema: string, queueId: number): string {
  return `${schema}:q${queueId}`;
}
