import type { Figures } from '../hazard.js';
import type { Tier } from '../hazard.js';
import { LEASE_MS } from '../worker/settings.js';
import type { Fault } from './course.js';
import type { History } from './history.js';
import { examine } from './invariants.js';
import { doubled } from './invariants/bodies.js';
import { reaped } from './invariants/bounds.js';
import { stale } from './invariants/fences.js';
import { lost } from './invariants/outcomes.js';
import { percentile, RECOVERY_MAX_MS, RECOVERY_P99_MS, type Recovery } from './recovery.js';

/** A run in which fewer faults hit running work shows nothing. */
const UNDER_LOAD_SHARE = 0.8;

/** Above it a worker may have lost its lease to the machine. */
const HELD_UP_MS = LEASE_MS / 4;

/** Of each kind of violation. */
const SHOWN_VIOLATIONS = 10;

export interface Trial {
  id: string;
  seed: number;
  tier: Tier;
  load: string;
  history: History;
  faults: Fault[];
  expectedFaults: number;
  recoveries: Recovery[];
  measured?: Figures['measured'];
  /** What kept the run from taking its course. */
  problems: string[];
  /** What the speed of the machine decides: targets that were missed, faults that came too late. */
  timing?: string[];
  log: (line: string) => void;
}

/** Holds a run against the invariants and the targets. In the fast tier, on whatever machine, what its speed decides is told. */
export function judge(trial: Trial): Figures {
  const { id, seed, tier, load, history, faults, recoveries, log } = trial;
  const findings = examine(history);
  const [promised, others] = [true, false].map((is) =>
    recoveries.filter((recovery) => recovery.promised === is),
  ) as [Recovery[], Recovery[]];
  const claimable = promised.map(({ claimableAfterBeat }) => claimableAfterBeat);
  const claimed = recoveries.flatMap(({ claimedAfterKill }) => claimedAfterKill ?? []);
  const recoveryP99Ms = rounded(percentile(claimable, 0.99));
  const recoveryMaxMs = rounded(percentile(claimable, 1));
  const faultsUnderLoad = faults.filter(({ owned }) => owned.length > 0).length;
  const isSlow = history.heldUpMs > HELD_UP_MS;
  const isTiming = (name: string) => name === reaped.name && isSlow;
  const idle = faultsUnderLoad === 0 ? ['does not count: no fault hit anything that ran'] : [];
  const shownOf = (which: (name: string) => boolean) =>
    [...findings].flatMap(([name, violations]) => (which(name) ? shown(name, violations) : []));
  const timing = [
    ...(trial.timing ?? []),
    ...shownOf(isTiming),
    ...(isSlow ? idle : []),
    ...missed('recovery p99', recoveryP99Ms, RECOVERY_P99_MS),
    ...missed('recovery max', recoveryMaxMs, RECOVERY_MAX_MS),
    ...(faults.length < trial.expectedFaults
      ? [`only ${faults.length} of ${trial.expectedFaults} faults were injected`]
      : []),
    ...(faultsUnderLoad < UNDER_LOAD_SHARE * faults.length
      ? [
          `does not count: only ${faultsUnderLoad} of ${faults.length} faults hit running executions`,
        ]
      : []),
  ];
  const problems = [
    ...trial.problems,
    ...shownOf((name) => !isTiming(name)),
    ...(tier === 'fast' ? [] : timing),
    ...(isSlow ? [] : idle),
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
    measured: {
      ...trial.measured,
      ...(others.length > 0 && {
        'recovered where no other worker served': others.length,
        'of these max ms': rounded(
          percentile(
            others.map(({ claimableAfterBeat }) => claimableAfterBeat),
            1,
          ),
        ),
      }),
    },
    met: problems.length === 0,
    seed,
    problems,
    told: tier === 'fast' ? timing : [],
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
