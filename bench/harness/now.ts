/** Milliseconds of the machine's monotonic clock: comparable between processes. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;
