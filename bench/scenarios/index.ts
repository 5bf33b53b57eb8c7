import { drain200k, drain20k } from './drain.js';
import { enqueue10, enqueue100, enqueueBulk } from './enqueue.js';
import { latencyAcross, latencyWithin } from './latency.js';
import { oneStep } from './one-step.js';
import type { Scenario } from './scenario.js';
import { tenSteps } from './ten-steps.js';

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
];
