// The files of the tarball: what is promised is in it, nothing else is, and installing it runs nothing.
import { deepStrictEqual, ok } from 'node:assert';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const root = process.argv[2];
const files = readdirSync(root, { recursive: true }).filter((file) =>
  statSync(join(root, file)).isFile(),
);
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

const beside = files.filter((file) => !file.startsWith('dist/')).sort();
deepStrictEqual(beside, ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);

// one module and one declaration for each source: no tests, no source maps, whose sources are not here, no leftovers
const sources = readdirSync(new URL('../../lib', import.meta.url), { recursive: true })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => `dist/${file.slice(0, -'.ts'.length)}`);
const expected = sources.flatMap((source) => [`${source}.js`, `${source}.d.ts`]).sort();
deepStrictEqual(files.filter((file) => file.startsWith('dist/')).sort(), expected);
const mapped = expected.filter((file) =>
  readFileSync(join(root, file), 'utf8').includes('sourceMappingURL'),
);
deepStrictEqual(mapped, []);

const { main, types, typesVersions, exports } = manifest;
const targets = [main, types, typesVersions, exports].flatMap(function leaves(value) {
  return typeof value === 'string' ? [value] : Object.values(value).flatMap(leaves);
});
for (const target of targets) ok(existsSync(join(root, target)), `${target} is missing`);

const dependencies = Object.keys(manifest.dependencies);
ok(dependencies.length <= 3, `more than three dependencies: ${dependencies}`);
for (const script of ['preinstall', 'install', 'postinstall']) {
  ok(!(script in manifest.scripts), `the package has a script "${script}"`);
}
console.log(`${files.length} files, dependencies: ${dependencies.join(', ')}`);
