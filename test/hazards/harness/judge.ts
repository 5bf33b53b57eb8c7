import type { Figures } from '../hazard.js';
import { LEASE_MS } from '../worker/settings.js';
import type { Fault } from './course.js';
import type { History } from './history.js';
import { examine } from './invariants.js';
import { doubled } from './invariants/bodies.js';
import { stale } from './invariants/fences.js';
import { lost } from './invariants/outcomes.js';
import { percentile, type Recovery } from './recovery.js';

/** A run in which fewer faults hit running work shows nothing. */
const UNDER_LOAD_SHARE = 0.8;

/** What the engine promises, from the last heartbeat of a dead worker (guarantee G8). */
const RECOVERY_P99_MS = LEASE_MS + 1_000;
const RECOVERY_MAX_MS = LEASE_MS + 2_000;

/** Of each kind of violation. */
const SHOWN_VIOLATIONS = 10;

export interface Trial {
  id: string;
  seed: number;
  load: string;
  history: History;
  faults: Fault[];
  expectedFaults: number;
  recoveries: Recovery[];
  /** Without it the recoveries are told and not judged: as where no other worker runs. */
  recoveryPromised?: false;
  measured?: Figures['measured'];
  /** What kept the run from taking its course. */
  problems: string[];
  log: (line: string) => void;
}

/** Holds a run against the invariants and the targets. */
export function judge(trial: Trial): Figures {
  const { id, seed, load, history, faults, recoveries, log } = trial;
  const findings = examine(history);
  const claimable = recoveries.map(({ claimableAfterBeat }) => claimableAfterBeat);
  const claimed = recoveries.flatMap(({ claimedAfterKill }) => claimedAfterKill ?? []);
  const recoveryP99Ms = rounded(percentile(claimable, 0.99));
  const recoveryMaxMs = rounded(percentile(claimable, 1));
  const faultsUnderLoad = faults.filter(({ owned }) => owned.length > 0).length;
  const problems = [
    ...trial.problems,
    ...[...findings].flatMap(([name, violations]) => shown(name, violations)),
    ...(trial.recoveryPromised === false
      ? []
      : [
          ...missed('recovery p99', recoveryP99Ms, RECOVERY_P99_MS),
          ...missed('recovery max', recoveryMaxMs, RECOVERY_MAX_MS),
        ]),
    ...(faults.length < trial.expectedFaults
      ? [`only ${faults.length} of ${trial.expectedFaults} faults were injected`]
      : []),
    ...(faultsUnderLoad < UNDER_LOAD_SHARE * faults.length
      ? [
          `does not count: only ${faultsUnderLoad} of ${faults.length} faults hit running executions`,
        ]
      : []),
  ];
  log(
    `${recoveries.length} executions recovered; claimed again after the kill: ` +
      `p99 ${rounded(percentile(claimed, 0.99))} ms, at most ${rounded(percentile(claimed, 1))} ms`,
  );
  return {
    id,
    load,
    lost: findings.get(lost.name)!.length,
    doubled: findings.get(doubled.name)!.length,
    stale: findings.get(stale.name)!.length,
    deadlocks: history.deadlocks,
    faultsInjected: faults.length,
    faultsUnderLoad,
    recoveryP99Ms,
    recoveryMaxMs,
    measured: trial.measured ?? {},
    met: problems.length === 0,
    seed,
    problems,
  };
}

/** What to say of a figure that is worse than it may be. */
export function missed(what: string, value: number | null, target: number): string[] {
  return value !== null && value > target
    ? [`${what} is ${value} ms, and may be ${target} ms`]
    : [];
}

function shown(name: string, violations: string[]): string[] {
  const more = violations.length - SHOWN_VIOLATIONS;
  return [
    ...violations.slice(0, SHOWN_VIOLATIONS).map((violation) => `${name}: ${violation}`),
    ...(more > 0 ? [`${name}: and ${more} more`] : []),
  ];
}

export function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}
