import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transform } from '@swc/core';
import { build, type Plugin } from 'esbuild';

const MAIN = fileURLToPath(new URL('../worker/main.ts', import.meta.url));

/** The worker as one file of JavaScript. */
export interface WorkerBuild {
  main: string;
  remove(): Promise<void>;
}

/** Bundles what a worker is made of, or another program, once a run. Booted from TypeScript a worker takes 3.8 s of processor time, from
 *  JavaScript in a thousand files 1.6 s, from one file 0.8 s; a hazard kills one every 1.5 s, on a machine of two cores. */
export async function buildWorker(entry = MAIN): Promise<WorkerBuild> {
  const directory = await mkdtemp(join(tmpdir(), 'hazard-worker-'));
  const main = join(directory, 'worker.mjs');
  await build({
    entryPoints: [entry],
    outfile: main,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    keepNames: true, // Nest's messages, and the names that steps are recorded under
    logLevel: 'error',
    banner: {
      js: `import { createRequire as requireOf } from 'node:module'; const require = requireOf(${JSON.stringify(MAIN)});`,
    },
    plugins: [optionalPackages, decorators],
  });
  return { main, remove: () => rm(directory, { recursive: true, force: true }) };
}

/** Nest and TypeORM ask for packages that need not be installed: they shall meet that when they run. */
const optionalPackages: Plugin = {
  name: 'optional packages',
  setup(bundle) {
    const packages = createRequire(MAIN);
    bundle.onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
      if (kind === 'entry-point') return undefined;
      try {
        packages.resolve(path);
        return undefined;
      } catch {
        return { path, external: true };
      }
    });
  },
};

/** esbuild writes no metadata for decorators, which injection needs. */
const decorators: Plugin = {
  name: 'decorators',
  setup(bundle) {
    bundle.onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const { code } = await transform(await readFile(path, 'utf8'), {
        filename: path,
        configFile: false,
        swcrc: false,
        module: { type: 'es6' },
        jsc: {
          target: 'es2023',
          parser: { syntax: 'typescript', decorators: true },
          transform: {
            legacyDecorator: true,
            decoratorMetadata: true,
            useDefineForClassFields: false,
          },
          keepClassNames: true,
        },
      });
      return { contents: code, loader: 'js' };
    });
  },
};
