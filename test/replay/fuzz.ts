import { v7 as orderedUuid } from 'uuid';
import { statusCode } from '../../lib/execution/execution-status.js';
import type { RecordWrite } from '../../lib/execution/step-record.js';
import { startApp, type TestApp } from '../support/test-app.js';
import type { TestDatabase } from '../support/test-database.js';
import { Cuts } from './cuts.js';
import { Ledger, type Activation } from './ledger.js';
import { drawProgram } from './program.js';
import { Parts, Programs, type Stage } from './programs.tasks.js';

export interface FuzzReport {
  seeds: number;
  /** Of each kind of cut, such as `save before`. */
  cuts: Map<string, number>;
  activations: number;
  bodies: number;
  /** Executions in which `ctx.patched` gave this answer. */
  patches: Record<'new' | 'old', number>;
  /** Executions that met a worker with other code, and were blocked. */
  blocked: number;
  /** Empty if every replay saw what the run before it saw. Each names its seed. */
  problems: string[];
}

const CONCURRENCY = 500;
const PAUSE_MS = 20;
/** Only ends what hangs. Also covers the 10 s for which an execution that met other code waits until it is blocked. */
const END = '250s';

/** Runs random programs twice, in peace and cut off at random moments, and compares. */
export class ReplayFuzz implements Stage {
  private readonly ledgers = new Map<string, Ledger>();
  /** The step that is called by another name in each execution that met other code. */
  private readonly deploys = new Map<string, { step: string } | 'over'>();
  private readonly calls = new Map<string, string>();
  private readonly stuck = new Map<string, (result: string) => void>();
  private cuts!: Cuts;
  private app!: TestApp;
  private uninstall!: () => void;
  private blocked = 0;

  private constructor(private readonly database: TestDatabase) {}

  static async open(database: TestDatabase): Promise<ReplayFuzz> {
    const fuzz = new ReplayFuzz(database);
    fuzz.cuts = new Cuts(database, (id, record, recording) =>
      fuzz.ledgers.get(id)!.recorded(fuzz.nameOf(id, record), recording),
    );
    fuzz.uninstall = fuzz.cuts.install();
    fuzz.app = await startApp({
      url: database.url,
      providers: [
        Parts,
        {
          provide: Programs,
          inject: [Parts],
          useFactory: (parts: Parts) => new Programs(parts, fuzz),
        },
      ],
      queues: { default: { concurrency: CONCURRENCY } },
    });
    return fuzz;
  }

  async close(): Promise<void> {
    await this.app.close();
    this.uninstall();
  }

  async run(seeds: number[]): Promise<FuzzReport> {
    const [peace, cut] = await this.runTwice(seeds);
    const ledgers = [...this.ledgers.values()];
    for (const ledger of ledgers) ledger.judge();
    const other = seeds.flatMap((seed, i) =>
      peace[i] === cut[i] ? [] : [`seed ${seed}: "${cut[i]}" in place of "${peace[i]}"`],
    );
    return {
      seeds: seeds.length,
      cuts: this.cuts.counts,
      activations: ledgers.reduce((sum, { activated }) => sum + activated, 0),
      bodies: ledgers.reduce((sum, { bodies }) => sum + bodies, 0),
      patches: {
        new: ledgers.filter(({ patches }) => patches.has(true)).length,
        old: ledgers.filter(({ patches }) => patches.has(false)).length,
      },
      blocked: this.blocked,
      problems: [...other, ...ledgers.flatMap((ledger) => ledger.problems)],
    };
  }

  ledgerOf(executionId: string, seed: number): Ledger {
    const ledger = this.ledgers.get(executionId) ?? new Ledger(seed);
    this.ledgers.set(executionId, ledger);
    return ledger;
  }

  renamed(executionId: string, activation: Activation): string | undefined {
    const deploy = this.deploys.get(executionId);
    if (deploy === 'over') return undefined;
    if (deploy !== undefined) return deploy.step;
    const ledger = this.ledgers.get(executionId)!;
    if (!this.cuts.aimsAt(executionId) || !drawProgram(ledger.seed).badDeploy) return undefined;
    const step = ledger.mustAskFor(activation);
    if (step !== undefined) this.deploys.set(executionId, { step });
    return step;
  }

  /** @returns what came of each in peace, and cut off. */
  private async runTwice(seeds: number[]): Promise<[string[], string[]]> {
    const items = seeds.map((payload) => ({ payload, id: orderedUuid() }));
    const twins = seeds.map((payload) => ({ payload, id: orderedUuid() }));
    for (const { id, payload } of twins) this.cuts.aimAt(id, payload);
    const handles = await this.app.conductor.invokeMany({ name: 'program' }, [...items, ...twins]);
    let done = false;
    const disturbing = (async () => {
      while (!done) {
        await this.cuts.between();
        await this.endBadDeploys();
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      }
    })();
    const results = await Promise.all(
      handles.map((handle) =>
        Promise.race([
          handle.result({ timeout: END }).then(String, String),
          new Promise<string>((resolve) => this.stuck.set(handle.id, resolve)),
        ]),
      ),
    );
    done = true;
    await disturbing;
    return [results.slice(0, seeds.length), results.slice(seeds.length)];
  }

  /** The old code comes back for what the new one could not go on with. */
  private async endBadDeploys(): Promise<void> {
    const rows = await this.database.query<{ id: string }>(
      `select id from conductor.run where status = ${statusCode.blocked}`,
    );
    for (const { id } of rows) {
      if (this.deploys.get(id) === 'over' || !this.deploys.has(id)) {
        const view = await this.app.conductor.get(id);
        this.stuck.get(id)!(`blocked: ${view?.error?.message}`);
      } else {
        this.deploys.set(id, 'over');
        this.blocked += 1;
        await this.app.conductor.resume(id);
      }
    }
  }

  /** A method's record is named by a number; what ran is told by its result, which comes once. */
  private nameOf(executionId: string, { name, value }: RecordWrite): string {
    if (!name.startsWith('Parts.')) return name;
    const key = `${executionId} ${name}`;
    if (value !== undefined) this.calls.set(key, JSON.parse(value) as string);
    return this.calls.get(key)!;
  }
}
