import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { startPostgres } from '../../lib/embedded/index.js';
import type { AppProcess } from './driver/app-process.js';
import { AuditClient } from './driver/audit-client.js';
import { Cluster } from './driver/cluster.js';
import { auditInAPlainLoop } from './driver/plain-loop.js';
import { prepareDatabase } from './driver/prepare-database.js';
import { checksOf, renderTable, type Findings } from './driver/report.js';
import { Screen } from './driver/screen.js';
import { inHand, isOver, shareDone, Watch } from './driver/watch.js';
import { LEASE_MS } from './settings.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const frozenSeconds = LEASE_MS / 1_000 + 2;
const deadline = AbortSignal.timeout(110_000);

const screen = new Screen(process.stdout);
const postgres = await startPostgres({ log: (line) => screen.say(line) });
let cluster: Cluster | undefined;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    screen.print(`Interrupted by ${signal}.`);
    void close().finally(() => process.exit(1));
  });
}

try {
  const findings = await audit();
  screen.print(renderTable(findings));
  for (const { check, holds } of checksOf(findings)) {
    screen.print(`  ${holds ? 'ok    ' : 'FAILED'}  ${check}`);
    if (!holds) process.exitCode = 1;
  }
} catch (error) {
  screen.print(error instanceof Error ? (error.stack ?? error.message) : String(error));
  process.exitCode = 1;
} finally {
  await close();
}

async function audit(): Promise<Findings> {
  await prepareDatabase(postgres.url);
  cluster = new Cluster(postgres.url);
  const client = new AuditClient(await cluster.ready());
  screen.say('an API process and two workers are up');

  const request = { id: randomUUID(), root };
  const { packages } = await client.begin(request);
  const { created } = await client.begin(request);
  screen.say(`asked for an audit of ${packages} packages, and again: ${created} more`);

  const watch = new Watch(client, request.id, cluster, screen, deadline);
  const [first, second] = cluster.workers as [AppProcess, AppProcess];

  await watch.until((progress) => shareDone(progress) >= 0.3 && inHand(progress, first) > 0);
  await first.kill();
  const stranded = inHand(await watch.look(), first);
  screen.say(
    `killed ${first.name} with ${stranded} packages in hand (SIGKILL), and start it again`,
  );
  const again = cluster.restart(first);

  const { recoveries: kill } = await watch.until(
    (progress) =>
      shareDone(progress) >= 0.6 &&
      progress.recoveries > 0 &&
      again.state === 'running' &&
      inHand(progress, second) > 0,
  );
  const frozen = second.freeze(frozenSeconds);
  const held = inHand(await watch.look(), second);
  screen.say(`froze ${second.name} with ${held} packages in hand for ${frozenSeconds} s (SIGSTOP)`);

  const { statuses, packages: ended, recoveries } = await watch.until(isOver);
  screen.say('every execution has ended');
  await frozen;
  await cluster.stopWorkers(); // what the frozen one still had in hand comes to nothing
  const report = await client.report(request.id);

  screen.say('now the same in a plain loop');
  return {
    report,
    plain: await auditInAPlainLoop(root),
    createdAgain: created,
    notCompleted: ended - (statuses.completed ?? 0),
    recoveredAfter: { kill, freeze: recoveries - kill },
  };
}

async function close(): Promise<void> {
  await cluster?.stop();
  await postgres.stop();
}
