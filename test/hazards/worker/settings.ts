import type { ConductorModuleOptions } from '../../../lib/index.js';
import type { Load } from '../harness/load.js';

/** The heartbeat follows from it: a fifth. */
export const LEASE_MS = 2_000;

/** What a worker process is told when it is spawned, as JSON in the environment. */
export interface WorkerSettings {
  engineUrl: string;
  ledgerUrl: string;
  load: Load['id'];
  concurrency: number;
}

export const SETTINGS_VARIABLE = 'HAZARD_WORKER';

/** What the controller tells a worker process that is up: to start claiming. */
export const SERVE = 'serve';

/** What a worker process tells the controller. */
export type WorkerMessage =
  { type: 'up' } | { type: 'serving' } | { type: 'unhandledRejection'; error: string };

export function conductorOptions(
  url: string,
  rest: Pick<ConductorModuleOptions, 'role' | 'queues' | 'autoStart'>,
): ConductorModuleOptions {
  return { connection: { url }, lease: LEASE_MS, ...rest };
}
