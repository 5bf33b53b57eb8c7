import { writeFile } from 'node:fs/promises';
import { readArguments } from './harness/arguments.js';
import { commit, machine, versions } from './harness/facts.js';
import { runScenario, type Row } from './harness/rounds.js';
import { Server } from './harness/server.js';
import { Stage } from './harness/stage.js';
import { table } from './harness/table.js';
import { scenarios } from './scenarios/index.js';

const { quick, only, json } = readArguments(scenarios.flatMap(({ id, goals }) => [id, ...goals]));
const chosen = scenarios.filter(({ id, goals, fullOnly }) =>
  only.length > 0
    ? [id, ...goals].some((name) => only.includes(name))
    : !(quick && fullOnly === true),
);

const server = await Server.start();
const stage = new Stage(server);
const context = {
  stage,
  quick,
  some: (count: number) => (quick ? Math.ceil(count / 10) : count),
};
const rows = new Map<string, Row[]>();
const began = new Date().toISOString();
const postgres = { source: server.source, ...(await server.settings()) };

async function report(): Promise<void> {
  if (json === undefined) return;
  const facts = {
    began,
    quick,
    commit: commit(),
    machine: machine(),
    versions: versions(),
    postgres,
  };
  await writeFile(
    json,
    `${JSON.stringify({ ...facts, rows: [...rows.values()].flat() }, null, 2)}\n`,
  );
}

let well = true;
for (const scenario of chosen) {
  const wentWell = await runScenario(scenario, context, async (current) => {
    rows.set(scenario.id, current);
    await report();
  });
  well &&= wentWell;
  console.log(`\n${table(scenario.title, rows.get(scenario.id)!)}`);
}
await report();
await stage.close();
await server.stop();
process.exitCode = well ? 0 : 1;
