import { inspect } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import { jest } from '@jest/globals';
import pg from 'pg';
import {
  DatabaseError,
  defineTask,
  ExecutionFailedError,
  NonRetryableError,
  Step,
  Task,
  TaskContext,
  TaskEvent,
  type,
} from '../../lib/index.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

/** Stands in for what nobody may read in a log: part of every value below. With a quote in it, as users' values have. */
const CANARY = 'c4n"4ry';
const soon = { timeout: '20s' } as const;
const secret = (what: string) => ({ [what]: `${CANARY} ${what}` });
/** All that a log or an error tracker could show of a value: messages, stacks, causes, own properties. */
const everything = (value: unknown) => inspect(value, { depth: Infinity, showHidden: true });
const tells = (text: string) => /c4n|4ry/.test(text);

const work = defineTask({ name: 'work', payload: type<Record<string, string>>() });

class Tasks {
  @Task(work, { retry: { maxAttempts: 2, backoff: { type: 'fixed', delay: 1 } } })
  async work(event: TaskEvent<typeof work>, ctx: TaskContext) {
    await ctx.step('plain', () => secret('step'));
    await this.method(event.payload);
    await ctx.sleep('wait', 1);
    if (event.payload['fail'] === 'step') {
      await ctx.step('failing', () => Promise.reject(new Error(`${CANARY} step error`)), {
        retry: { maxAttempts: 1 },
      });
    }
    if (event.payload['fail'] === 'attempt') throw new Error(`${CANARY} error`);
    if (event.payload['fail'] === 'finally') throw new NonRetryableError(`${CANARY} final error`);
    ctx.logger.info('the handler says what it likes');
    return secret('result');
  }

  @Step()
  async method(payload: object) {
    return { ...payload, ...secret('method') };
  }
}

/** Keeps all that is logged, at every level. */
class Recorder implements LoggerService {
  readonly lines: string[] = [];
  readonly log = this.keep.bind(this);
  readonly error = this.keep.bind(this);
  readonly warn = this.keep.bind(this);
  readonly debug = this.keep.bind(this);
  readonly verbose = this.keep.bind(this);
  readonly fatal = this.keep.bind(this);

  private keep(...parts: unknown[]): void {
    this.lines.push(parts.map((part) => everything(part)).join(' '));
  }

  get leaks(): string[] {
    return this.lines.filter(tells);
  }
}

describe('what users store', () => {
  const apps = testApps();
  const { start } = apps;
  let logger: Recorder;

  beforeEach(() => {
    logger = new Recorder();
  });

  it('is not in the log when executions complete, are tried again and fail', async () => {
    const { conductor } = await start({ providers: [Tasks], logger });
    const payload = secret('payload');
    const result = await conductor.invokeAndWait(work, payload, soon);
    expect(tells(everything(result))).toBe(true); // the canary sings
    for (const fail of ['step', 'attempt', 'finally']) {
      const error = await conductor
        .invokeAndWait(work, { ...payload, fail }, soon)
        .catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(ExecutionFailedError);
      expect(tells(everything(error))).toBe(true);
    }
    expect(logger.lines.join()).toContain('the handler says what it likes');
    expect(logger.leaks).toEqual([]);
  });

  it('is not in the text of statements, which Postgres logs and shows to other sessions', async () => {
    const query = jest.spyOn(pg.Client.prototype, 'query');
    try {
      const { conductor } = await start({ providers: [Tasks], logger });
      const { id } = await conductor.invoke(work, secret('payload'));
      await conductor.handle(id).result(soon);
      await conductor.list();
      const sent = query.mock.calls.map(([statement]: unknown[]) =>
        typeof statement === 'string' ? statement : (statement as { text: string }).text,
      );
      expect(sent.join()).toContain('enqueue');
      expect(sent.filter(tells)).toEqual([]);
    } finally {
      query.mockRestore();
    }
  });

  describe('when Postgres refuses it', () => {
    /** Lets the database refuse rows of a table, each time with an error of this kind. */
    async function refuse(table: string, column: string, how: 'constraint' | 'cast') {
      const query = (sql: string) => apps.database.query(sql);
      if (how === 'constraint') {
        await query(
          `alter table conductor.${table} add constraint refused check (${column}::text not like '%4ry%') not valid`,
        );
      } else {
        await query(
          `create function public.refuse() returns trigger language plpgsql as
           $$begin perform to_json(new.${column})::text::int; return new; end$$`,
        );
        await query(
          `create trigger refuse before insert on conductor.${table} for each row
           when (new.${column} is not null) execute function public.refuse()`,
        );
      }
    }

    it.each(['constraint', 'cast'] as const)(
      'is not in what invoke rejects with (%s)',
      async (how) => {
        const { conductor } = await start({ providers: [Tasks], logger });
        await refuse('execution', 'payload', how);
        const error = await conductor
          .invoke(work, secret('payload'))
          .catch((thrown: unknown) => thrown);
        expect(error).toBeInstanceOf(DatabaseError);
        expect((error as DatabaseError).sqlState).toBe(how === 'cast' ? '22P02' : '23514');
        expect((error as Error).message).toContain(how === 'cast' ? 'integer' : 'refused');
        expect(tells(everything(error))).toBe(false);
        expect(logger.leaks).toEqual([]);
      },
    );

    it.each([
      ['step', 'value'],
      ['outcome', 'result'],
    ])(
      'is not in the error that the execution ends with, nor in the log (%s)',
      async (table, column) => {
        const { conductor } = await start({ providers: [Tasks], logger });
        await refuse(table, column, 'cast');
        const { id } = await conductor.invoke(work, secret('payload'));
        const view = await until(async () => {
          const now = await conductor.get(id);
          return now?.status === 'failed' && now;
        }, 20_000);
        expect(view.error?.message).toContain('invalid input syntax for type integer');
        expect(tells(everything(view.error))).toBe(false);
        expect(logger.leaks).toEqual([]);
      },
    );
  });
});
