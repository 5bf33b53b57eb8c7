import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { startPostgres } from '../../lib/embedded/index.js';
import { AuditClient } from './driver/audit-client.js';
import { Cluster } from './driver/cluster.js';
import { auditInAPlainLoop } from './driver/plain-loop.js';
import { prepareDatabase } from './driver/prepare-database.js';
import { checksOf, renderTable, type Findings } from './driver/report.js';
import { Screen } from './driver/screen.js';
import { inHand, isOver, shareDone, Watch } from './driver/watch.js';
import { CONCURRENCY, LEASE_MS } from './settings.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const frozenSeconds = LEASE_MS / 1_000 + 2;
const patienceMs = 115_000;

const screen = new Screen(process.stdout);
const postgres = await startPostgres({ log: (line) => screen.say(line) });
let cluster: Cluster | undefined;
let abandoned = false;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => abandon(`Interrupted by ${signal}.`));
}
setTimeout(() => abandon('It takes too long, and is given up.'), patienceMs).unref();

try {
  const findings = await audit();
  screen.print(renderTable(findings));
  for (const { check, holds } of checksOf(findings)) {
    screen.print(`  ${holds ? 'ok    ' : 'FAILED'}  ${check}`);
    if (!holds) process.exitCode = 1;
  }
} catch (error) {
  if (!abandoned) screen.print(inspect(error));
  process.exitCode = 1;
} finally {
  await close();
}

async function audit(): Promise<Findings> {
  await prepareDatabase(postgres.url);
  screen.say('starting an API process and two workers');
  cluster = new Cluster(postgres.url, (name, message) => screen.say(`${name}: ${message}`));
  const client = new AuditClient(await cluster.ready());

  const request = { id: randomUUID(), root };
  const { packages } = await client.begin(request);
  const { created } = await client.begin(request);
  screen.say(`accepted: ${packages} packages; the same request again: ${created} more`);

  const watch = new Watch(client, request.id, cluster, screen);
  const [first, second] = cluster.workers;

  await watch.during(
    (progress) => shareDone(progress) >= 0.3 && inHand(progress, first) >= CONCURRENCY,
  );
  await first.kill();
  const stranded = inHand(await watch.look(), first);
  screen.say(
    `killed ${first.name} with ${stranded} packages in hand (SIGKILL), and start it again`,
  );
  const again = cluster.restart(first);

  const { recoveries: kill } = await watch.during(
    (progress) =>
      shareDone(progress) >= 0.6 &&
      progress.recoveries > 0 &&
      again.state === 'running' &&
      inHand(progress, second) >= CONCURRENCY,
  );
  second.freeze(frozenSeconds);
  const held = inHand(await watch.look(), second);
  screen.say(`froze ${second.name} with ${held} packages in hand for ${frozenSeconds} s (SIGSTOP)`);

  await watch.until((progress) => isOver(progress) && second.state === 'running');
  await cluster.stopWorkers(); // with whatever the frozen one still does that nobody waits for
  const report = await client.report(request.id);

  screen.say('all executions have ended; now the same in a plain loop');
  return {
    report,
    plain: await auditInAPlainLoop(root),
    createdAgain: created,
    recoveredAfter: { kill, freeze: report.recoveries - kill },
  };
}

/** Ends early, and leaves nothing behind. */
function abandon(reason: string): void {
  abandoned = true;
  screen.print(reason);
  void close().finally(() => process.exit(1));
}

async function close(): Promise<void> {
  await cluster?.stop();
  await postgres.stop();
}
