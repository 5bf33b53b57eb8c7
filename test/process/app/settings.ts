import type { ConductorModuleOptions } from '../../../lib/index.js';

/** What the app is told when it is spawned, as JSON in the environment. */
export interface AppSettings {
  url: string;
  options?: Partial<ConductorModuleOptions>;
  /** A module of the app waits in its onModuleInit for the gate `boot`. */
  slowBoot?: boolean;
  /** How many SIGTERMs it tells of. */
  signals?: number;
}

export const SETTINGS_VARIABLE = 'TEST_APP';

/** What the app is told while it runs. */
export type Command =
  | { open: string }
  /** To close, and then to end by itself. */
  | 'close';

/** What the app tells. */
export type AppMessage =
  | { type: 'booting' }
  | { type: 'up'; url: string }
  | { type: 'signal' }
  /** The body of a step, or a handler, began; ended. */
  | { type: 'began'; execution: string; name: string }
  | { type: 'ended'; execution: string; name: string }
  | { type: 'invoked'; id: string }
  | { type: 'closed' };
