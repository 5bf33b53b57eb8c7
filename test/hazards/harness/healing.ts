import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { NestFactory } from '@nestjs/core';
import { Orchestrator } from '../../../lib/index.js';
import { WorkerModule } from '../worker/worker.module.js';
import type { CopiedDatabases } from './copied-databases.js';
import { readRecords, readRest, type History } from './history.js';
import type { Load, Planned } from './load.js';
import { isRecovery } from './recovery.js';
import type { Wreck } from './wrecks.js';

const LOOK_EVERY_MS = 100;
const CONVERGE_WITHIN_MS = 60_000;

/** A worker that meets no fault, in the controller's own process, finishes what the dead left. */
export async function healed<P>(
  databases: CopiedDatabases,
  { database, ends, rejections }: Wreck,
  { load, accepted }: { load: Load<P>; accepted: Planned<P>[] },
): Promise<History<P>> {
  const url = databases.url(database);
  const app = await NestFactory.createApplicationContext(
    WorkerModule.with({ engineUrl: url, ledgerUrl: url, load: load.id, concurrency: 10 }),
    { logger: false, abortOnError: false },
  );
  try {
    await app.get(Orchestrator).start();
    await databases.using(database, async (engine) => {
      const end = performance.now() + CONVERGE_WITHIN_MS;
      while (performance.now() < end) {
        const { runs, workers } = await readRest({ engine });
        if (runs.length === 0 && workers.every(({ pid }) => pid === process.pid)) return;
        await pause(LOOK_EVERY_MS);
      }
    });
  } finally {
    await app.close();
  }
  return await databases.using(database, async (query) => {
    const records = await readRecords({ engine: query, ledger: query });
    return {
      load,
      accepted,
      ...records,
      rest: await readRest({ engine: query }),
      heldUpMs: 0,
      livePids: [],
      // there was one worker at a time: whoever was reaped was dead
      hitWorkers: records.changes.filter(isRecovery).map(({ oldWorkerId }) => oldWorkerId!),
      deadlocks: await databases.deadlocks(database),
      ends,
      rejections,
    };
  });
}
