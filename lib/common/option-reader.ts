import { durationProblem, parseDuration } from './duration.js';
import { closest } from './edit-distance.js';
import { shown } from './shown.js';
import { renderPath } from './value-path.js';

/** Postgres begins in 4713 BC; JavaScript earlier. */
const EARLIEST_MS = Date.UTC(-4_712, 0, 1);

/** Reads options whose types cannot be trusted. Every reading returns a checked value or undefined, and notes what is wrong, so
 *  that all problems of all options come out together. An option that is undefined is one that was not given. */
export class OptionReader {
  constructor(
    readonly given: Readonly<Record<string, unknown>>,
    /** What stands before an option's name in messages; may be empty. */
    private readonly where: string,
    readonly problems: string[],
  ) {}

  /** Undefined, with a problem noted, if the value is not an object. */
  static open(value: unknown, where: string, problems: string[]): OptionReader | undefined {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      return new OptionReader(value as Record<string, unknown>, where, problems);
    }
    problems.push(
      `${where === '' ? 'the options' : where} must be an object, and is ${shown(value)}`,
    );
    return undefined;
  }

  at(key: string): string {
    const rendered = renderPath([key]);
    if (this.where === '') return rendered;
    return rendered.startsWith('[') ? `${this.where}${rendered}` : `${this.where}.${rendered}`;
  }

  /** @param problem the rest of a sentence that begins with the option's name */
  fail(key: string, problem: string): undefined {
    this.problems.push(`${this.at(key)} ${problem}`);
    return undefined;
  }

  has(key: string): boolean {
    return this.given[key] !== undefined;
  }

  onlyKnown(known: readonly string[]): void {
    for (const key of Object.keys(this.given)) {
      if (known.includes(key)) continue;
      const meant = closest(key, known);
      this.problems.push(
        meant === undefined
          ? `unknown option ${this.at(key)}: there are ${known.join(', ')}`
          : `unknown option ${this.at(key)}: did you mean ${this.at(meant)}?`,
      );
    }
  }

  /** @param because why there are these bounds, where they surprise */
  integer(key: string, min: number, max: number, because?: string): number | undefined {
    const value = this.given[key];
    if (value === undefined) return undefined;
    if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) {
      return value as number;
    }
    const reason = because === undefined ? '' : ` (${because})`;
    return this.fail(
      key,
      `must be an integer from ${min} to ${max}${reason}, and is ${shown(value)}`,
    );
  }

  number(key: string, min: number, max: number): number | undefined {
    const value = this.given[key];
    if (value === undefined) return undefined;
    if (typeof value === 'number' && value >= min && value <= max) return value;
    return this.fail(key, `must be a number from ${min} to ${max}, and is ${shown(value)}`);
  }

  /** In milliseconds. The bounds are written as messages show them, such as `'1s'`. */
  duration(key: string, min: string, max?: string): number | undefined {
    const value = this.given[key];
    if (value === undefined) return undefined;
    const ms = parseDuration(value);
    if (ms === undefined) {
      this.problems.push(`${this.at(key)}: ${durationProblem(value)}`);
      return undefined;
    }
    if (ms >= parseDuration(min)! && (max === undefined || ms <= parseDuration(max)!)) return ms;
    const bounds = max === undefined ? `at least ${min}` : `from ${min} to ${max}`;
    return this.fail(key, `must be ${bounds}, and is ${shown(value)}`);
  }

  /** An instant that Postgres can store as well. */
  date(key: string): Date | undefined {
    const value = this.given[key];
    if (value === undefined) return undefined;
    if (value instanceof Date && value.getTime() >= EARLIEST_MS) return value;
    return this.fail(key, `must be a valid Date, and is ${shown(value)}`);
  }

  boolean(key: string): boolean | undefined {
    const value = this.given[key];
    if (value === undefined || typeof value === 'boolean') return value;
    return this.fail(key, `must be true or false, and is ${shown(value)}`);
  }

  oneOf<const T extends string>(key: string, allowed: readonly T[]): T | undefined {
    const value = this.given[key];
    const match = allowed.find((name) => name === value);
    if (value === undefined || match !== undefined) return match;
    const names = allowed.map((name) => JSON.stringify(name));
    return this.fail(
      key,
      `must be ${names.slice(0, -1).join(', ')} or ${names.at(-1)}, and is ${shown(value)}`,
    );
  }

  nested(key: string): OptionReader | undefined {
    const value = this.given[key];
    return value === undefined ? undefined : OptionReader.open(value, this.at(key), this.problems);
  }
}
