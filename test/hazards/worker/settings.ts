import type { ConductorModuleOptions } from '../../../lib/index.js';
import type { FaultPoint } from '../../../lib/conductor.fault-points.js';
import type { Standstill } from '../loads/load-frozen.js';
import type { Load } from '../harness/load.js';

export const LEASE_MS = 2_000;

/** As the engine has it: a fifth of the lease. It is also the poll that finds what no hint announced. */
export const BEAT_MS = LEASE_MS / 5;

/** How often a worker process says that it is alive. */
export const ALIVE_EVERY_MS = 500;

/** What a worker process is told when it is spawned, as JSON in the environment. */
export interface WorkerSettings {
  engineUrl: string;
  ledgerUrl: string;
  load: Load['id'];
  concurrency: number;
  /** Default: the engine's own. */
  poolSize?: number;
  /** Default: true. */
  listen?: boolean;
  faults?: WorkerFaults;
}

/** What happens to a process by itself. */
export interface WorkerFaults {
  /** It exits where it reaches this point for the nth time. */
  exitAt?: { point: FaultPoint; time: number };
  /** The first reply here is lost, and the process lives. */
  losesReplyAt?: FaultPoint;
}

/** With which a process exits at a fault point. */
export const FAULT_EXIT = 77;

export const SETTINGS_VARIABLE = 'HAZARD_WORKER';

/** What the controller tells a worker process that is up: to start claiming. */
export const SERVE = 'serve';

/** To do nothing at all for so long, as in a computation without an end. */
export interface Block {
  block: number;
}

/** What a worker process tells the controller. */
export type WorkerMessage =
  | { type: 'up' }
  | { type: 'serving' }
  /** Again and again, unless it is frozen or blocked. */
  | { type: 'alive' }
  | { type: 'unhandledRejection'; error: string }
  /** It came to this fault point, and goes on. */
  | { type: 'reached'; point: FaultPoint }
  /** It is about to stop itself in this execution's step. */
  | { type: 'frozen'; execution: string; place: Standstill }
  /** The signal of an attempt fired, at so many milliseconds since 1970. */
  | { type: 'aborted'; execution: string; at: number };

export function conductorOptions(
  url: string,
  {
    poolSize,
    ...rest
  }: Pick<ConductorModuleOptions, 'role' | 'queues' | 'autoStart' | 'listen' | 'transactions'> & {
    poolSize?: number;
  },
): ConductorModuleOptions {
  return {
    connection: { url, ...(poolSize !== undefined && { poolSize }) },
    lease: LEASE_MS,
    ...rest,
  };
}
