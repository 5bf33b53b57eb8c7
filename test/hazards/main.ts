import 'reflect-metadata';
import { inspect } from 'node:util';
import type { Figures, Hazard } from './hazard.js';
import { atOnce } from './harness/at-once.js';
import { readArguments, type Arguments } from './harness/arguments.js';
import { shortcomings, table, writeJson } from './harness/report.js';
import { hazards } from './hazards.js';

const USAGE = 'npm run test:hazards -- [--only ID[,ID]] [--json FILE] [--seed N] [--fast | --full]';

process.setMaxListeners(0); // each worker process ends with this one

const given = argumentsOrExit();
if (given.json !== undefined) writeJson(given.json, []); // better to learn now that it cannot be written
say(`seed ${given.seed}`);

// small loads mostly wait for leases to lapse; and nothing is judged that the others could delay
const inTurn = atOnce(given.tier === 'fast' ? 3 : 1);
const figures = new Map<Hazard, Figures[]>();
await Promise.all(
  given.chosen.map((hazard) =>
    inTurn(async () => {
      say(`${hazard.id}: ${hazard.title}`);
      figures.set(hazard, await figuresOf(hazard, given));
      if (given.json !== undefined) writeJson(given.json, inOrder());
    }),
  ),
);
const rows = inOrder();
say(`\n${table(rows)}`);
for (const line of shortcomings(rows)) say(line);
process.exitCode = rows.every(({ met }) => met) ? 0 : 1;

function inOrder(): Figures[] {
  return given.chosen.flatMap((hazard) => figures.get(hazard) ?? []);
}

async function figuresOf(hazard: Hazard, { seed, tier }: Arguments): Promise<Figures[]> {
  const began = performance.now();
  const log = (line: string) =>
    say(`${hazard.id} ${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${line}`);
  try {
    return [await hazard.run({ seed, tier, log })].flat();
  } catch (error) {
    // the others are worth running all the same
    return [
      {
        id: hazard.id,
        load: '',
        lost: 0,
        doubled: 0,
        stale: 0,
        deadlocks: 0,
        faultsInjected: 0,
        faultsUnderLoad: 0,
        recoveryP99Ms: null,
        recoveryMaxMs: null,
        measured: {},
        met: false,
        seed,
        problems: [`broke off: ${inspect(error)}`],
      },
    ];
  }
}

function argumentsOrExit(): Arguments {
  try {
    return readArguments(process.argv.slice(2), hazards);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}\n`);
    process.exit(2);
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
