import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import ts from 'typescript';

const folder = resolve(process.cwd(), 'test/types');
const fixtures = readdirSync(folder)
  .filter((file) => file.endsWith('.types.ts'))
  .map((file) => join(folder, file));

/** A new Nest app's tsconfig.json, without what concerns only its output. */
const starter: ts.CompilerOptions = {
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  target: ts.ScriptTarget.ES2023,
  esModuleInterop: true,
  isolatedModules: true,
  declaration: true,
  emitDecoratorMetadata: true,
  experimentalDecorators: true,
  skipLibCheck: true,
  types: ['node'],
  strict: false,
  noEmit: true,
};

const MARK = /\/\/ @ts-expect-error\b(?: -- "(.*)")?/;
/** TypeScript sees no mark, so that it tells what the marked line is an error for. */
const unmarked = (text: string) => text.replaceAll('@ts-expect-error', '@ts-marked-error');
/** Names and modules that do not exist, which would be the fixture's own mistake. */
const slips = new Set([2304, 2305, 2307, 2552]);

const parsed = new Map<string, ts.SourceFile | undefined>();

/** Both programs share what they parse: it is most of the time they take. */
function host(options: ts.CompilerOptions): ts.CompilerHost {
  const base = ts.createCompilerHost(options);
  return {
    ...base,
    getSourceFile(file, languageVersion) {
      if (!fixtures.includes(file)) {
        if (!parsed.has(file)) parsed.set(file, base.getSourceFile(file, languageVersion));
        return parsed.get(file);
      }
      return ts.createSourceFile(file, unmarked(ts.sys.readFile(file)!), languageVersion);
    },
  };
}

function program(options: ts.CompilerOptions): ts.Program {
  return ts.createProgram(fixtures, options, host(options));
}

interface Complaint {
  line: number;
  code: number;
  message: string;
}

function complaints(compiled: ts.Program, file: string): Complaint[] {
  const source = compiled.getSourceFile(file)!;
  const found = [
    ...compiled.getSyntacticDiagnostics(source),
    ...compiled.getSemanticDiagnostics(source),
    ...compiled.getDeclarationDiagnostics(source),
  ];
  return found.map(({ start, code, messageText }) => ({
    line: source.getLineAndCharacterOfPosition(start!).line + 1,
    code,
    message: ts.flattenDiagnosticMessageText(messageText, '\n'),
  }));
}

/** Where an error has to be, and what it has to say. */
function marks(file: string): { line: number; says?: string }[] {
  return ts.sys
    .readFile(file)!
    .split('\n')
    .flatMap((text, index) => {
      const mark = MARK.exec(text);
      return mark ? [{ line: index + 2, says: mark[1] }] : [];
    });
}

describe.each([
  { settings: 'the settings of a new Nest app, without strict', options: starter },
  { settings: 'strict', options: { ...starter, strict: true } },
])('with $settings', ({ options }) => {
  let compiled: ts.Program;

  beforeAll(() => {
    compiled = program(options);
  });

  const checked = fixtures.filter((file) => options.strict || !file.endsWith('.strict.types.ts'));
  it.each(checked.map((file) => [file.slice(folder.length + 1), file]))(
    '%s compiles but for its marked lines, each an error for the reason it gives',
    (_name, file) => {
      const found = complaints(compiled, file);
      const expected = marks(file);
      const lines = (all: { line: number }[]) =>
        [...new Set(all.map(({ line }) => line))].toSorted((a, b) => a - b);
      expect(expected.length).toBeGreaterThan(0);
      const unexpected = found.filter(({ line }) => !expected.some((mark) => mark.line === line));
      expect(unexpected).toEqual([]);
      expect(lines(found)).toEqual(lines(expected));
      for (const { line, says } of expected) {
        if (says === undefined) continue;
        const messages = found.filter((complaint) => complaint.line === line);
        expect(messages.map(({ message }) => message).join('\n')).toContain(says);
      }
      expect(found.filter(({ code }) => slips.has(code))).toEqual([]);
    },
  );
});
