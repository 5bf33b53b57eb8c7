/** How much of a hazard is run.
 *  - `fast`: on every change, on whatever machine. What its speed decides is told, and not judged.
 *  - `scaled`: what a minute allows.
 *  - `full`: the load of the table in the design, however long that takes. */
export type Tier = 'fast' | 'scaled' | 'full';

/** What a run of a hazard is made with. */
export interface Conditions {
  /** Every random choice of the run comes from it. */
  seed: number;
  tier: Tier;
  log: (line: string) => void;
}

/** What a run came to: one row of the report. */
export interface Figures {
  id: string;
  /** The work that was under way, and where it differs from the load of that letter. */
  load: string;
  /** Acknowledged executions without their outcome, or without the right one. */
  lost: number;
  /** Bodies that ran again after they were recorded, and records without a body. */
  doubled: number;
  /** Writes that were accepted from an attempt no longer authorised. */
  stale: number;
  /** As Postgres counts them. */
  deadlocks: number;
  faultsInjected: number;
  /** Those that hit a process with running executions. */
  faultsUnderLoad: number;
  /** From a dead worker's last heartbeat until its executions could be claimed again; null where nothing had to be. */
  recoveryP99Ms: number | null;
  recoveryMaxMs: number | null;
  /** What only this hazard measures. */
  measured: Record<string, number | null>;
  met: boolean;
  seed: number;
  /** Why it was not met: every violation of an invariant and every target missed. */
  problems: string[];
  /** In the fast tier: what was missed for want of time. */
  told?: string[];
}

/** One danger, and what must hold in it. */
export interface Hazard {
  id: string;
  title: string;
  /** One row, or one for each of its variants. */
  run: (conditions: Conditions) => Promise<Figures | Figures[]>;
}
