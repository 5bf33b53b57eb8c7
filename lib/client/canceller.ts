import { toUSVString } from 'node:util';
import { v4 as randomUuid } from 'uuid';
import { OptionReader } from '../common/option-reader.js';
import { shown } from '../common/shown.js';
import { InvalidInvokeError } from '../errors/invalid-invoke.error.js';
import type { CancelAnswer } from '../execution/cancel-answer.js';
import { cancelChannelOf } from '../persistence/channel.js';
import type { Database } from '../persistence/database.js';
import type { Notifier } from '../persistence/notifier.js';
import type { CancelRepository } from '../persistence/repositories/cancel.repository.js';
import { ENQUEUE_PATIENCE_MS } from './enqueuer.js';

const MAX_REASON = 1_000;

export interface CancelOptions {
  /** Why, for people: shown by `status()`, and in the errors of its handler and of whoever waits for its result. At most 1,000
   *  characters. */
  reason?: string;
}

/** Ends executions, and tells the workers of those that run. */
export class Canceller {
  /** @internal */
  constructor(
    private readonly database: Database,
    private readonly executions: CancelRepository,
    private readonly notifier: Notifier,
  ) {}

  /** @throws InvalidInvokeError, DatabaseUnavailableError */
  async cancel(id: string, options: CancelOptions = {}): Promise<CancelAnswer> {
    const problems = cancelProblems(options);
    if (problems.length > 0) throw new InvalidInvokeError(problems);
    const { reason } = options;
    try {
      const { answer, queueId } = await this.executions.cancel(
        { id, token: randomUuid(), reason },
        ENQUEUE_PATIENCE_MS,
      );
      if (queueId !== undefined)
        this.notifier.tell([cancelChannelOf(this.database.schema, queueId)]);
      return answer;
    } catch (error) {
      throw this.database.visible(error, 'cancel');
    }
  }
}

function cancelProblems(options: unknown): string[] {
  const problems: string[] = [];
  const reader = OptionReader.open(options, '', problems);
  reader?.onlyKnown(['reason']);
  const reason = reader?.given['reason'];
  if (reason === undefined) return problems;
  if (typeof reason !== 'string' || reason === '' || reason.length > MAX_REASON)
    reader!.fail(
      'reason',
      `must be a text of 1 to ${MAX_REASON} characters, and is ${shown(reason)}`,
    );
  else if (reason.includes('\0') || toUSVString(reason) !== reason)
    reader!.fail('reason', 'has a character that Postgres cannot store: NUL, or half of a pair');
  return problems;
}
