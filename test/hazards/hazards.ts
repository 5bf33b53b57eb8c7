import type { Hazard } from './hazard.js';
import { fc1 } from './hazards/fc1.js';
import { fc2 } from './hazards/fc2.js';
import { fc3 } from './hazards/fc3.js';
import { fc4 } from './hazards/fc4.js';
import { fd1 } from './hazards/fd1.js';
import { fn1 } from './hazards/fn1.js';
import { fp1 } from './hazards/fp1.js';
import { fp2 } from './hazards/fp2.js';
import { fp3 } from './hazards/fp3.js';
import { fp4 } from './hazards/fp4.js';
import { fp5 } from './hazards/fp5.js';
import { fz1 } from './hazards/fz1.js';
import { fz2 } from './hazards/fz2.js';
import { fz3 } from './hazards/fz3.js';
import { fz4 } from './hazards/fz4.js';

/** In the order in which they run. */
export const hazards: Hazard[] = [
  fp1,
  fp2,
  fp3,
  fp4,
  fp5,
  fc1,
  fc2,
  fc3,
  fc4,
  fz1,
  fz2,
  fz3,
  fz4,
  fd1,
  fn1,
];
