import { backlog, idlePoll } from './backlog.js';
import { drain200k, drain20k } from './drain.js';
import { enqueue10, enqueue100, enqueueBulk } from './enqueue.js';
import { idleWorker } from './idle.js';
import { latencyAcross, latencyWithin } from './latency.js';
import { memoryOfAMillion } from './memory.js';
import { oneStep } from './one-step.js';
import { replay1000 } from './replay.js';
import type { Scenario } from './scenario.js';
import { tenSteps } from './ten-steps.js';
import { latencyUnderLoad, threeProcesses } from './three-processes.js';

/** In the order in which they run. A new question is a new file and a line here. */
export const scenarios: Scenario[] = [
  drain20k,
  drain200k,
  oneStep,
  enqueue10,
  enqueue100,
  enqueueBulk,
  latencyWithin,
  latencyAcross,
  tenSteps,
  backlog,
  idlePoll,
  idleWorker,
  replay1000,
  threeProcesses,
  latencyUnderLoad,
  memoryOfAMillion,
];

/** Those of the README's chart. */
export const charted: Scenario[] = [
  drain20k,
  drain200k,
  enqueue10,
  enqueueBulk,
  latencyAcross,
  tenSteps,
];
