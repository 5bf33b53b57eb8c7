import { readFile, writeFile } from 'node:fs/promises';
import { goalIds, judge } from './goals.js';
import { readArguments } from './harness/arguments.js';
import { chart } from './harness/chart.js';
import { commit, machine, versions } from './harness/facts.js';
import { goalsTable } from './harness/goals-table.js';
import { runScenario } from './harness/rounds.js';
import type { Row } from './harness/row.js';
import { Server } from './harness/server.js';
import { Stage } from './harness/stage.js';
import { table } from './harness/table.js';
import { charted, scenarios } from './scenarios/index.js';
import type { Context, Scenario } from './scenarios/scenario.js';
import { settingsOfAll } from './subjects/index.js';

const options = readArguments([...goalIds, ...scenarios.map(({ id }) => id)]);
const { quick, rounds, json } = options;

/** Rows by scenario. */
const measured = new Map<string, Row[]>();

if (options.from.length > 0) await read(options.from);
else process.exitCode = (await measure()) ? 0 : 1;
console.log(`\n${goalsTable(judge(measured))}`);
if (quick) console.log('  of a quick run, a tenth of everything, once: no figure to quote');
if (options.chart !== undefined) await writeFile(options.chart, chart(charted, measured));

/** @returns whether all of ours went well */
async function measure(): Promise<boolean> {
  const server = await Server.start();
  const stage = new Stage(server);
  const context: Context = {
    stage,
    quick,
    rounds,
    some: (count) => (quick ? Math.ceil(count / 10) : count),
  };
  const facts = {
    began: new Date().toISOString(),
    /** A tenth of everything, once: it says that all runs, and no more. */
    quick,
    commit: commit(),
    machine: machine(),
    versions: versions(),
    postgres: { source: server.source, ...(await server.settings()) },
    settings: await settingsOfAll(),
  };
  const report = async () => {
    if (json === undefined) return;
    const redis = await stage.redisVersion();
    const all = {
      ...facts,
      ...(redis !== undefined && { versions: { ...facts.versions, redis } }),
      goals: judge(measured),
      rows: [...measured.values()].flat(),
    };
    await writeFile(json, `${JSON.stringify(all, null, 2)}\n`);
  };

  let wentWell = true;
  for (const scenario of scenarios.filter(isChosen)) {
    const well = await runScenario(scenario, context, async (rows) => {
      measured.set(scenario.id, rows);
      await report();
    });
    wentWell &&= well;
    show(scenario);
  }
  await report();
  await stage.close();
  await server.stop();
  return wentWell;
}

/** What earlier runs have measured. Of a scenario that several have, the last one stands. */
async function read(files: string[]): Promise<void> {
  for (const file of files) {
    const { rows } = JSON.parse(await readFile(file, 'utf8')) as { rows: Row[] };
    for (const { id } of scenarios) {
      const own = rows.filter(({ scenario }) => scenario === id);
      if (own.length > 0) measured.set(id, own);
    }
  }
  for (const scenario of scenarios) if (measured.has(scenario.id)) show(scenario);
}

function show({ id, title }: Scenario): void {
  console.log(`\n${table(title, measured.get(id)!)}`);
}

function isChosen({ id, goals, quick: takesPart }: Scenario): boolean {
  const { only } = options;
  if (only.length > 0) return [id, ...goals].some((name) => only.includes(name));
  return !(quick && takesPart === 'none');
}
