export type LicenceKind = 'permissive' | 'weak copyleft' | 'copyleft' | 'to be read';

export interface Licence {
  /** The SPDX expression, or what stands in its place. */
  licence: string;
  kind: LicenceKind;
}

const kinds: [RegExp, LicenceKind][] = [
  [/^(MIT|MIT-0|ISC|0BSD|BSD-\d-Clause|Apache-2\.0|Zlib|Python-2\.0)$/, 'permissive'],
  [/^(Unlicense|CC0-1\.0|CC-BY-\d\.0|BlueOak-1\.0\.0|WTFPL|PostgreSQL)$/, 'permissive'],
  [/^(LGPL|MPL|EPL|CDDL)-/, 'weak copyleft'],
  [/^A?GPL-/, 'copyleft'],
];

const strictness: LicenceKind[] = ['permissive', 'weak copyleft', 'copyleft', 'to be read'];

/** What a package's declared licence asks of its users: of alternatives the mildest, of licences that hold together the
 *  strictest. What cannot be told without a person is `to be read`. */
export function classifyLicence(declared: string | undefined): Licence {
  const licence = declared?.trim().replace(/^\((.*)\)$/, '$1') || 'none declared';
  return { licence, kind: kindOf(licence) };
}

function kindOf(expression: string): LicenceKind {
  const alternatives = expression.split(/ OR /i);
  const together = expression.split(/ AND /i);
  if (alternatives.length > 1 && together.length > 1) return 'to be read';
  if (alternatives.length > 1) return alternatives.map(kindOf).toSorted(byStrictness)[0]!;
  if (together.length > 1) return together.map(kindOf).toSorted(byStrictness).at(-1)!;
  return kinds.find(([pattern]) => pattern.test(expression))?.[1] ?? 'to be read';
}

function byStrictness(one: LicenceKind, other: LicenceKind): number {
  return strictness.indexOf(one) - strictness.indexOf(other);
}
