import 'reflect-metadata';
import { inspect } from 'node:util';
import type { Figures, Hazard } from './hazard.js';
import { readArguments, type Arguments } from './harness/arguments.js';
import { shortcomings, table, writeJson } from './harness/report.js';
import { hazards } from './hazards.js';

const USAGE = 'npm run test:hazards -- [--only ID[,ID]] [--json FILE] [--seed N] [--full]';

const given = argumentsOrExit();
if (given.json !== undefined) writeJson(given.json, []); // better to learn now that it cannot be written
say(`seed ${given.seed}`);

const rows: Figures[] = [];
for (const hazard of given.chosen) {
  say(`${hazard.id}: ${hazard.title}`);
  rows.push(...(await figuresOf(hazard, given)));
  if (given.json !== undefined) writeJson(given.json, rows);
}
say(`\n${table(rows)}`);
for (const line of shortcomings(rows)) say(line);
process.exitCode = rows.every(({ met }) => met) ? 0 : 1;

async function figuresOf(hazard: Hazard, { seed, full }: Arguments): Promise<Figures[]> {
  const began = performance.now();
  const log = (line: string) =>
    say(`  ${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s  ${line}`);
  try {
    return [await hazard.run({ seed, full, log })].flat();
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
