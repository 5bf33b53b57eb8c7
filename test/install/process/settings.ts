export const SETTINGS_VARIABLE = 'INSTALL_PROCESS';

/** What a process is told when it is spawned, as JSON in the environment. */
export interface ProcessSettings {
  url: string;
  /** `endless`: a migration that never comes to an end. Default: today's. */
  code?: 'endless';
}

/** What it is told once it has loaded its code. */
export const BOOT = 'boot';

export type ProcessMessage =
  { type: 'loaded' } | { type: 'up' } | { type: 'refused'; code: string; message: string };
