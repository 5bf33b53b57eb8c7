import type { Setting, SubjectModule } from './subject.js';

const modules = [
  'nest-conductor',
  'graphile-worker',
  'pg-boss',
  'dbos',
  'bullmq',
  'bare',
  'bare-latency',
];

/** What each subject is set to, and why. One that cannot be loaded here has none. */
export async function settingsOfAll(): Promise<Record<string, Setting[]>> {
  const all: Record<string, Setting[]> = {};
  for (const name of modules) {
    try {
      all[name] = ((await import(`./${name}.js`)) as SubjectModule).settings;
    } catch {
      continue;
    }
  }
  return all;
}
