/** Writes to the app's Nest logger; every line carries the task, the queue, the execution's id and the attempt. */
export interface TaskLogger {
  info(message: string, ...args: unknown[]): void;
  error(message: string, ...args: unknown[]): void;
  debug(message: string, ...args: unknown[]): void;
  warn(message: string, ...args: unknown[]): void;
}
