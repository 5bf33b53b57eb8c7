import type { SubjectProcess } from '../harness/subject-process.js';

/** Each job was done exactly once: by what ran in these processes together, and by what is stored. */
export async function checkOnce(
  workers: SubjectProcess[],
  count: number,
  warmUps = 0,
): Promise<void> {
  const runs = new Uint16Array(count);
  for (const worker of workers) {
    const own = await worker.call('runs', undefined);
    for (let n = 0; n < count; n += 1) runs[n]! += own[n] ?? 0;
  }
  const missed = runs.filter((times) => times === 0).length;
  const again = runs.filter((times) => times > 1).length;
  if (missed > 0 || again > 0)
    throw new Error(`of ${count} jobs ${missed} did not run and ${again} ran more than once`);
  const completed = await workers[0]!.call('completed', undefined);
  if (completed !== undefined && completed !== count + warmUps)
    throw new Error(`${completed} of ${count + warmUps} jobs are stored as completed`);
}
