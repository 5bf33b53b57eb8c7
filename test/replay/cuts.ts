import { statusCode } from '../../lib/execution/execution-status.js';
import {
  ExecutionRepository,
  type ClaimRow,
} from '../../lib/persistence/repositories/execution.repository.js';
import { NewExecutionRepository } from '../../lib/persistence/repositories/new-execution.repository.js';
import { StepRepository } from '../../lib/persistence/repositories/step.repository.js';
import type { RecordWrite } from '../../lib/execution/step-record.js';
import { seededRandom } from '../support/random.js';
import type { Recording } from './ledger.js';
import type { TestDatabase } from '../support/test-database.js';

/** What is done to a write, or to an attempt between two writes.
 *  - `before`: its execution is taken away, and the write is never sent.
 *  - `after`: it is committed, its execution is taken away, and the reply says that it was lost.
 *  - `again`: the first reply is lost, and it is sent again.
 *  - `busy`: somebody else holds the row for the moment.
 *  - `between`: taken away while nothing is written. */
export const cuts = ['before', 'after', 'again', 'busy', 'between'] as const;
export type Cut = (typeof cuts)[number];
export const writes = ['save', 'suspend', 'settle'] as const;
export type Write = (typeof writes)[number];

/** How often an execution is cut at most, so that it comes to its end. */
const MOST_CUTS = 6;
const ONE_WRITE_IN = 6;
const ONE_MOMENT_IN = 10;

interface Item {
  id: string;
  token: string;
}

interface Claim {
  fence: number;
  attempt: number;
}

/** What the cuts know of an execution. */
interface Victim {
  random: () => number;
  cuts: number;
}

/** Stands between the worker and the statements of its attempts, on real Postgres: cuts attempts off at their writes and between them,
 *  and tells what was committed. What is taken away goes on in its worker, which learns of it by its next write: the worst
 *  case of a worker that seems dead. */
export class Cuts {
  readonly counts = new Map<string, number>();
  private readonly victims = new Map<string, Victim>();
  private readonly claims = new Map<string, Claim>();

  constructor(
    private readonly database: TestDatabase,
    private readonly committed: (
      executionId: string,
      record: RecordWrite,
      recording: Recording,
    ) => void,
  ) {}

  /** From now on, until what it returns is called. */
  install(): () => void {
    const steps = StepRepository.prototype;
    const newExecutions = NewExecutionRepository.prototype;
    const executions = ExecutionRepository.prototype;
    // oxlint-disable typescript/unbound-method -- each is called with the repository it was called on
    const { save } = steps;
    const { enqueue } = newExecutions;
    const { claim, suspend, settle } = executions;
    // oxlint-enable typescript/unbound-method
    const write: typeof this.write = (...args) => this.write(...args);
    const tell: typeof this.tell = (items) => this.tell(items);
    const remember = (rows: ClaimRow[]) => {
      for (const row of rows)
        this.claims.set(`${row.id} ${row.token}`, { fence: row.claims, attempt: row.failures + 1 });
    };
    steps.save = function (items, goOn) {
      return write('save', items, 'lost', 'busy', async (sent) => {
        const reports = await save.call(this, sent, goOn);
        tell(sent.filter((_, i) => reports[i] === 'applied' || reports[i] === 'duplicate'));
        return reports;
      });
    };
    executions.suspend = function (items, goOn) {
      return write('suspend', items, { type: 'lost' }, { type: 'busy' }, async (sent) => {
        const reports = await suspend.call(this, sent, goOn);
        tell(sent.filter((_, i) => ['parked', 'decided'].includes(reports[i]!.type)));
        return reports;
      });
    };
    executions.settle = function (items, goOn) {
      return write('settle', items, 'lost', 'busy', (sent) => settle.call(this, sent, goOn));
    };
    executions.claim = async function (request) {
      const reply = await claim.call(this, request);
      remember(reply.executions);
      return reply;
    };
    // some start with the reply to their invoke
    newExecutions.enqueue = async function (...args) {
      const reply = await enqueue.call(this, ...args);
      remember(reply.executions);
      return reply;
    };
    return () => {
      Object.assign(steps, { save });
      Object.assign(newExecutions, { enqueue });
      Object.assign(executions, { claim, suspend, settle });
    };
  }

  /** This execution is to be cut, by the random choices of the seed. */
  aimAt(executionId: string, seed: number): void {
    this.victims.set(executionId, { random: seededRandom(seed ^ 0x5eed), cuts: 0 });
  }

  aimsAt(executionId: string): boolean {
    return this.victims.has(executionId);
  }

  /** Takes some of what runs away from its worker, whatever it does just now. */
  async between(): Promise<void> {
    const running = await this.database.query<Item>(
      `select id, token from conductor.run where status = ${statusCode.running}`,
    );
    const chosen = running.filter(({ id }) => {
      const victim = this.victims.get(id);
      if (victim === undefined || victim.cuts >= MOST_CUTS || !draws(victim, ONE_MOMENT_IN))
        return false;
      victim.cuts += 1;
      return true;
    });
    this.count('between', await this.takeAway(chosen));
  }

  private async write<I extends Item, R>(
    write: Write,
    items: I[],
    lost: R,
    busy: R,
    send: (items: I[]) => Promise<R[]>,
  ): Promise<R[]> {
    const cutOf = new Map(items.map((item) => [item, this.cutOf(item)]));
    const having = (...which: (Cut | undefined)[]) =>
      items.filter((item) => which.includes(cutOf.get(item)));
    await this.takeAway(having('before'));
    const sent = having('after', 'again', undefined);
    const replies = new Map<I, R>();
    const sendOff = async (what: I[]) => {
      if (what.length === 0) return;
      const reports = await send(what);
      what.forEach((item, i) => replies.set(item, reports[i]!));
    };
    await sendOff(sent);
    await sendOff(having('again'));
    await this.takeAway(having('after'));
    for (const item of items) {
      const cut = cutOf.get(item);
      if (cut !== undefined) this.count(`${write} ${cut}`, 1);
      if (cut === 'before' || cut === 'after') replies.set(item, lost);
      if (cut === 'busy') replies.set(item, busy);
    }
    return items.map((item) => replies.get(item)!);
  }

  private cutOf({ id }: Item): Cut | undefined {
    const victim = this.victims.get(id);
    if (victim === undefined || victim.cuts >= MOST_CUTS) return undefined;
    if (!draws(victim, ONE_WRITE_IN)) return undefined;
    victim.cuts += 1;
    return cuts[Math.floor(victim.random() * 4)];
  }

  /** What recovery does to the executions of a dead worker. @returns how many there were */
  private async takeAway(items: Item[]): Promise<number> {
    if (items.length === 0) return 0;
    const rows = await this.database.query(
      `with taken as (
         update conductor.run r set status = ${statusCode.pending}, token = null, worker_id = null, started = false
         from unnest($1::uuid[], $2::uuid[]) x(id, token)
         where r.id = x.id and r.token = x.token and r.status = ${statusCode.running} returning r.id)
       select pg_notify('conductor:q' || q.id, '') from conductor.queue q, taken`,
      [items.map(({ id }) => id), items.map(({ token }) => token)],
    );
    return rows.length;
  }

  private tell(items: (Item & { records: RecordWrite[] })[]): void {
    for (const { id, token, records } of items) {
      const { fence, attempt } = this.claims.get(`${id} ${token}`)!;
      for (const record of records) {
        if (record.status === 'open') continue;
        const isStep = record.kind === 'step';
        const failed = record.status === 'failed';
        this.committed(id, record, { isStep, fence, attempt, failed });
      }
    }
  }

  private count(what: string, by: number): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + by);
  }
}

const draws = (victim: Victim, oneIn: number) => victim.random() * oneIn < 1;
