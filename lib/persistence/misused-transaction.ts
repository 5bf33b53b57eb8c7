import { InvalidStepError } from '../errors/invalid-step.error.js';

/** What a transactional step fails with when its body did what only the engine may. */
export const misusedTransaction = {
  ended: (step: string) =>
    misused(
      step,
      'its body has ended the transaction that it was given, so nothing could be recorded with it: leave COMMIT, ROLLBACK and release() to the engine',
    ),
  unended: (step: string) =>
    misused(
      step,
      'its body has returned while a transaction within its own was open, so nothing could be committed: await every em.transaction',
    ),
  idle: (step: string, limitMs: number) =>
    misused(
      step,
      `Postgres ended its transaction, which had gone without a statement for too long (transactions.idleTimeout: ${limitMs} ms, unless ` +
        'the connection has a limit of its own): do what takes long before the transaction, or raise the limit',
    ),
};

function misused(step: string, problem: string): InvalidStepError {
  return new InvalidStepError(`transactional step "${step}"`, [problem]);
}
