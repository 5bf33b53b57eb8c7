import type { Hazard } from './hazard.js';
import { fp1 } from './hazards/fp1.js';

/** In the order in which they run. */
export const hazards: Hazard[] = [fp1];
