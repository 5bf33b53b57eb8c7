import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { testApps } from '../support/test-app.js';

const run = promisify(execFile);
const fixture = fileURLToPath(new URL('../fixtures/floating-rejections.ts', import.meta.url));

interface Ended {
  code?: number;
  stdout: string;
  stderr: string;
}

// a process of its own: jest has its own way with rejections
describe('a promise that is rejected before anybody awaits it', () => {
  const apps = testApps();

  const worker = (...args: string[]): Promise<Ended> =>
    run(process.execPath, [
      '--import',
      '@swc-node/register/esm-register',
      fixture,
      apps.database.url,
      ...args,
    ]).catch((error: Ended) => error);

  it('FS1 of an execution does not end the worker, is told, and can still be awaited later, hostile ones included', async () => {
    const { code, stdout, stderr } = await worker();
    expect(code).toBeUndefined();
    expect(stdout).toContain('["caught bad step","completed"]');
    const told = stdout + stderr;
    expect(told).toMatch(/execution [0-9a-f-]{36} \(task "never awaited"\).*Error: bad step/);
    expect(told).toMatch(/execution [0-9a-f-]{36} \(task "never awaited"\).*Error: of a body/);
    for (const hostile of [
      'null was thrown',
      'Symbol(s) was thrown',
      'unreadable',
      'cyclic',
      'of many',
    ])
      expect(told).toContain(hostile);
  });

  it('FS1 of nobody’s ends the process, as it does without a worker', async () => {
    const { code, stdout, stderr } = await worker('stray');
    expect(code).toBe(1);
    expect(stderr).toContain('of nobody');
    expect(stdout).not.toContain('still alive');
  });
});
