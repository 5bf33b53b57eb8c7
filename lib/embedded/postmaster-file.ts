import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DataDirectoryInUseError } from './errors/data-directory-in-use.error.js';

/** A program that is restarted by a watcher finds the server of its predecessor for a moment: its guard has yet to act. */
const GRACE_MS = 1_000;
/** A fast shutdown writes a checkpoint; with much unwritten data that takes seconds. */
const STOPPING_MS = 15_000;
const POLL_MS = 25;

/** What a running server says of itself in its data directory. */
export interface PostmasterFile {
  pid: number;
  status: string;
}

export function postmasterFile(data: string): string {
  return join(data, 'postmaster.pid');
}

export async function readPostmasterFile(data: string): Promise<PostmasterFile | undefined> {
  const text = await readFile(postmasterFile(data), 'utf8').catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    },
  );
  const lines = text.split('\n');
  const pid = Number(lines[0]);
  // the file is written in two steps; without its eighth line the server is still on its way up
  return pid > 0 ? { pid, status: lines[7]?.trim() ?? 'starting' } : undefined;
}

/** Waits for a server that is going away, and takes away the file of one that crashed where its pid is a stranger's now.
 *  @throws DataDirectoryInUseError */
export async function requireFree(data: string, directory: string): Promise<void> {
  const start = performance.now();
  for (;;) {
    const found = await readPostmasterFile(data);
    if (found === undefined || !isAlive(found.pid)) return; // Postgres itself removes the file of a dead server
    if (!(await mayBePostgres(found.pid))) {
      await rm(postmasterFile(data), { force: true });
      return;
    }
    const patience = found.status === 'stopping' ? STOPPING_MS : GRACE_MS;
    if (performance.now() - start > patience) {
      throw new DataDirectoryInUseError(directory, found.pid);
    }
    await sleep(POLL_MS);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

// in a restarted container the same small numbers come again, often for the program that starts Postgres
async function mayBePostgres(pid: number): Promise<boolean> {
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => 'postgres');
  return name.trim() === 'postgres';
}
