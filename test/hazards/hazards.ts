import type { Hazard } from './hazard.js';
import { fc1 } from './hazards/fc1.js';
import { fc2 } from './hazards/fc2.js';
import { fc3 } from './hazards/fc3.js';
import { fc4 } from './hazards/fc4.js';
import { fp1 } from './hazards/fp1.js';

/** In the order in which they run. */
export const hazards: Hazard[] = [fp1, fc1, fc2, fc3, fc4];
