import {
  durationProblem,
  MAX_DURATION_MS,
  parseDuration,
  toMilliseconds,
} from '../../../lib/common/duration.js';

describe('toMilliseconds', () => {
  it.each([
    [0, 0],
    [250, 250],
    ['250ms', 250],
    ['1.5s', 1_500],
    ['10m', 600_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['2w', 1_209_600_000],
    ['.5s', 500],
    ['1e3ms', 1_000],
    [' 10 m ', 600_000],
  ])('reads %j as %d ms', (duration, ms) => {
    expect(toMilliseconds(duration)).toBe(ms);
  });

  it('rounds a fraction of a millisecond up, so that nothing ends early', () => {
    expect(toMilliseconds(0.5)).toBe(1);
    expect(toMilliseconds('0.2ms')).toBe(1);
  });

  it('does not turn the errors of floating point into a millisecond', () => {
    expect(toMilliseconds('4.03s')).toBe(4_030);
    expect(toMilliseconds('0.07h')).toBe(252_000);
  });

  it('leaves it to the caller what a negative duration means', () => {
    expect(toMilliseconds(-5)).toBe(-5);
    expect(toMilliseconds('-10m')).toBe(-600_000);
    expect(toMilliseconds(-0.5)).toBe(0);
  });

  it.each([
    ['abc', '"abc" is not a duration'],
    ['', '"" is not a duration'],
    ['10', '"10" is a duration without a unit; write "10ms" or "10s"'],
    ['5y', '"5y" has the unknown unit "y"; there are ms, s, m, h, d, w'],
    ['5M', 'unknown unit "M"'],
    ['1s 2s', 'is not a duration'],
    ['1constructor', 'unknown unit "constructor"'],
    [Number.NaN, 'NaN is not a duration; it has to be finite'],
    [Number.POSITIVE_INFINITY, 'has to be finite'],
    ['1e999s', 'has to be finite'],
    ['4000d', 'ten years is the most'],
    [-MAX_DURATION_MS - 1, 'ten years is the most'],
  ])('refuses %j and says why', (duration, message) => {
    expect(() => toMilliseconds(duration)).toThrow(RangeError);
    expect(() => toMilliseconds(duration)).toThrow(message);
  });

  it.each([[undefined], [null], [{}], [[1]], [true], [10n]])('refuses %p by its type', (value) => {
    expect(() => toMilliseconds(value as unknown as number)).toThrow(TypeError);
  });

  it('takes ten years', () => {
    expect(toMilliseconds('3650d')).toBe(315_360_000_000);
  });
});

describe('parseDuration and durationProblem', () => {
  it('tell the same as toMilliseconds without throwing', () => {
    expect(parseDuration('1s')).toBe(1_000);
    expect(durationProblem('1s')).toBeUndefined();
    expect(parseDuration('1x')).toBeUndefined();
    expect(durationProblem('1x')).toContain('unknown unit "x"');
    expect(parseDuration(Symbol('s'))).toBeUndefined();
  });
});
