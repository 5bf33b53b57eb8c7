import { writeFile } from 'node:fs/promises';
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

const {
  quick,
  only,
  rounds,
  json,
  chart: chartFile,
} = readArguments([...goalIds, ...scenarios.map(({ id }) => id)]);

function isChosen({ id, goals, quick: takesPart }: Scenario): boolean {
  if (only.length > 0) return [id, ...goals].some((name) => only.includes(name));
  return !(quick && takesPart === 'none');
}

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
const measured = new Map<string, Row[]>();

async function report(): Promise<void> {
  if (json === undefined) return;
  const redis = await stage.redisVersion();
  const all = {
    ...facts,
    ...(redis !== undefined && { versions: { ...facts.versions, redis } }),
    goals: judge(measured),
    rows: [...measured.values()].flat(),
  };
  await writeFile(json, `${JSON.stringify(all, null, 2)}\n`);
}

let wentWell = true;
for (const scenario of scenarios.filter(isChosen)) {
  const well = await runScenario(scenario, context, async (rows) => {
    measured.set(scenario.id, rows);
    await report();
  });
  wentWell &&= well;
  console.log(`\n${table(scenario.title, measured.get(scenario.id)!)}`);
}
await report();
if (chartFile !== undefined) await writeFile(chartFile, chart(charted, measured));
console.log(`\n${goalsTable(judge(measured))}`);
if (quick) console.log('  of a quick run, a tenth of everything, once: no figure to quote');
await stage.close();
await server.stop();
process.exitCode = wentWell ? 0 : 1;
