import { drain20k } from './drain.js';
import type { Scenario } from './scenario.js';

/** In the order in which they run. A new question is a new file and a line here. */
export const scenarios: Scenario[] = [drain20k];
