import { ConductorError } from './conductor.error.js';

/** The conductor was used while it has no database: after the app closed, or before it started. Nothing was done. */
export class ConductorStoppedError extends ConductorError {
  readonly code = 'CONDUCTOR_STOPPED';

  constructor(
    /** What was called. */
    readonly call: string,
    readonly when: 'before-start' | 'after-close' = 'after-close',
  ) {
    super(
      when === 'after-close'
        ? `${call} came after the app had closed, and did nothing. End what uses the conductor (servers, timers, consumers) ` +
            'before app.close().'
        : `${call} came before the app had started, and did nothing. Call it in onApplicationBootstrap or later.`,
    );
  }
}
