import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { sentStatements } from '../lib/conductor.fault-points.js';

const lib = resolve(process.cwd(), 'lib');

interface Import {
  from: string;
  names: string;
  typeOnly: boolean;
}

const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter(
  (path) => path.endsWith('.ts') && !path.startsWith('zz-'),
);
const sources = new Map(files.map((path) => [path, readFileSync(join(lib, path), 'utf8')]));

function importsOf(path: string): Import[] {
  const found = sources
    .get(path)!
    .matchAll(/(?:import|export)\s+(type\s+)?([^'";]*?)\s*from\s+'([^']+)'|import\s+'([^']+)'/g);
  return [...found].map(([, type, names = '', from, bare]) => ({
    from: from ?? bare!,
    names,
    typeOnly: type !== undefined,
  }));
}

const inside = (path: string, from: string) =>
  relative(lib, resolve(lib, dirname(path), from)).replace(/\.js$/, '.ts');
const roomOf = (path: string) => (path.includes('/') ? path.split('/')[0]! : 'module');

/** What each room may import, beside itself. Everything points downwards. */
const ground = ['interfaces', 'errors', 'common'];
const rules = ['execution', ...ground];
const written = ['decorators', 'contracts', ...rules];
const below: Record<string, string[]> = {
  module: ['orchestrator', 'client', 'discovery', 'persistence', ...written],
  orchestrator: ['worker', 'client', 'discovery', 'persistence', ...written],
  worker: ['discovery', 'persistence', ...written],
  client: ['discovery', 'persistence', ...written],
  discovery: written,
  persistence: written,
  decorators: ['contracts', ...rules],
  contracts: rules,
  execution: ground,
  embedded: ground,
  interfaces: [],
  errors: ['interfaces', 'common'],
  common: ['interfaces'],
};

/** Read by every room, and reading none. */
const shared = ['conductor.constants.ts', 'conductor.fault-points.ts'];

describe('the architecture', () => {
  it('has a rule for every room', () => {
    expect([...new Set(files.map(roomOf))].filter((room) => !(room in below))).toEqual([]);
  });

  it('lets imports point downwards only, types included', () => {
    const upwards = files.flatMap((path) =>
      importsOf(path)
        .filter(({ from }) => from.startsWith('.'))
        .map(({ from }) => inside(path, from))
        .filter((target) => !shared.includes(target))
        .filter(
          (target) =>
            roomOf(target) !== roomOf(path) && !below[roomOf(path)]!.includes(roomOf(target)),
        )
        .map((target) => `${path} -> ${target}`),
    );
    expect(upwards).toEqual([]);
  });

  it('names only files that exist', () => {
    const missing = files.flatMap((path) =>
      importsOf(path)
        .filter(({ from }) => from.startsWith('.') && !sources.has(inside(path, from)))
        .map(({ from }) => `${path} -> ${from}`),
    );
    expect(missing).toEqual([]);
  });

  it('has no two files that import each other, in whatever many steps', () => {
    const targets = new Map(
      files.map((path) => [
        path,
        importsOf(path)
          .filter(({ from, typeOnly }) => from.startsWith('.') && !typeOnly)
          .map(({ from }) => inside(path, from)),
      ]),
    );
    const cycles: string[] = [];
    const done = new Set<string>();
    const visit = (path: string, trail: string[]): void => {
      if (trail.includes(path))
        return void cycles.push([...trail.slice(trail.indexOf(path)), path].join(' -> '));
      if (done.has(path)) return;
      for (const target of targets.get(path) ?? []) visit(target, [...trail, path]);
      done.add(path);
    };
    for (const path of files) visit(path, []);
    expect(cycles).toEqual([]);
  });

  const only = (what: RegExp, rooms: string[], rest: string[] = []) =>
    files.filter(
      (path) => !rooms.includes(roomOf(path)) && !rest.includes(path) && what.test(code(path)),
    );

  it('imports typeorm as a value only in persistence and the module', () => {
    const outside = files.filter(
      (path) =>
        !['persistence', 'module'].includes(roomOf(path)) &&
        importsOf(path).some(({ from, typeOnly }) => from === 'typeorm' && !typeOnly),
    );
    expect(outside).toEqual([]);
  });

  it('sends queries only from the statement, the listener’s own connection, and migrations and readers of persistence', () => {
    expect(only(/\.query\(/, ['persistence', 'embedded'])).toEqual([]);
    const callers = files.filter(
      (path) => roomOf(path) === 'persistence' && /\b(client|pool)!?\.query\b/.test(code(path)),
    );
    expect(callers.toSorted()).toEqual([
      'persistence/caller-transaction.ts',
      'persistence/notification.listener.ts',
      'persistence/statement.ts',
      'persistence/step-connection.ts',
    ]);
  });

  it('has fault points around every statement that is sent', () => {
    const functions = new Map(
      [...sources].flatMap(([path, text]) =>
        path.startsWith('persistence/sql/')
          ? [...text.matchAll(/export const (\w+) = sqlFunction\(\{\s*name: '(\w+)'/g)].map(
              ([, constant, name]) => [constant!, name!] as const,
            )
          : [],
      ),
    );
    const sent = [...sources.values()].flatMap((text) =>
      [...text.matchAll(/(\w+)\.call\(/g)].flatMap(
        ([, constant]) => functions.get(constant!) ?? [],
      ),
    );
    expect(new Set([...sent, 'pg_notify', 'commit'])).toEqual(new Set(sentStatements));
  });

  it('reads Nest’s metadata only in the accessor', () => {
    expect(only(/\bReflector\b/, [], ['discovery/task-metadata.accessor.ts'])).toEqual([]);
  });

  it('takes local time, timers and chance only from common', () => {
    const what =
      /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bset(Timeout|Interval|Immediate)\(|\bperformance\.now\(/;
    expect(only(what, ['common', 'embedded'])).toEqual([]);
  });

  it('keeps the codes of statuses in one place', () => {
    expect(only(/\bstatus\s*(=|<>|in)\s*\(?\s*\d/, ['execution'])).toEqual([]);
  });

  it('exports every error to users', () => {
    const index = sources.get('index.ts')!;
    const missing = files
      .filter((path) => path.startsWith('errors/') && path.endsWith('.error.ts'))
      .filter((path) => !index.includes(`./${path.replace(/\.ts$/, '.js')}`));
    expect(missing).toEqual([]);
  });

  /** Without comments. */
  function code(path: string): string {
    return sources.get(path)!.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  }
});
