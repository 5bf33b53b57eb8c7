import { retryOptionProblems, retryPolicy } from '../../../lib/execution/retry-policy.js';
import type { Backoff } from '../../../lib/interfaces/retry-options.js';

const middle = () => 0.5; // no jitter
const delays = (backoff: Backoff | undefined, attempts: number[], random = middle) => {
  const policy = retryPolicy({ backoff }, undefined, random);
  return attempts.map((attempt) => policy.delayAfter(attempt, new Error('x')));
};

describe('retryPolicy', () => {
  it('is 3 attempts with exponential backoff from 15 s to 1 h', () => {
    expect(retryPolicy(undefined, undefined, middle).maxAttempts).toBe(3);
    expect(delays(undefined, [1, 2, 3, 8, 9, 10, 5_000])).toEqual([
      15_000, 30_000, 60_000, 1_920_000, 3_600_000, 3_600_000, 3_600_000,
    ]);
  });

  it('takes each setting from the options, else from the fallback', () => {
    const policy = retryPolicy({ maxAttempts: 8 }, { maxAttempts: 2, backoff: 'fixed' }, () => 0);
    expect(policy.maxAttempts).toBe(8);
    expect(policy.delayAfter(5, undefined)).toBe(15_000);
    expect(retryPolicy({}, { maxAttempts: 1 }, middle).maxAttempts).toBe(1);
  });

  it('moves an exponential wait by up to a tenth', () => {
    expect(delays('exponential', [1], () => 0)).toEqual([13_500]);
    expect(delays('exponential', [1], () => 0.999999)[0]).toBeCloseTo(16_500, -1);
    expect(delays({ type: 'exponential', delay: '10s', jitter: 0.5 }, [1], () => 0)).toEqual([
      5_000,
    ]);
  });

  it('waits as long each time when fixed, without jitter unless asked for', () => {
    expect(delays('fixed', [1, 2, 9], () => 0)).toEqual([15_000, 15_000, 15_000]);
    expect(delays({ type: 'fixed', delay: '2s' }, [1, 9], () => 0)).toEqual([2_000, 2_000]);
    expect(delays({ type: 'fixed', delay: '2s', jitter: 0.1 }, [1], () => 0)).toEqual([1_800]);
  });

  it('grows by the factor up to the limit, which jitter does not pass', () => {
    const backoff = { type: 'exponential', delay: '1s', factor: 3, max: '20s' } as const;
    expect(delays(backoff, [1, 2, 3, 4])).toEqual([1_000, 3_000, 9_000, 20_000]);
    expect(delays(backoff, [4], () => 0.999)).toEqual([20_000]);
  });

  it('does not shorten a first wait that is longer than the default limit', () => {
    expect(delays({ type: 'fixed', delay: '2h' }, [1])).toEqual([7_200_000]);
    expect(delays({ type: 'exponential', delay: '2h' }, [1, 2])).toEqual([7_200_000, 7_200_000]);
  });

  it('asks a function with the attempt and its error', () => {
    const error = new Error('busy');
    const policy = retryPolicy(
      { backoff: (attempt, e) => (e === error ? `${attempt}m` : 0) },
      undefined,
      middle,
    );
    expect(policy.delayAfter(2, error)).toBe(120_000);
    expect(policy.delayAfter(2, new Error('other'))).toBe(0);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('bug');
      },
    ],
    ['returns no duration', () => 'soon'],
    ['returns NaN', () => Number.NaN],
    ['returns nothing', () => undefined],
    ['rejects', () => Promise.reject(new Error('bug'))],
  ])('waits exponentially where the function %s', (_, backoff) => {
    expect(delays(backoff as unknown as Backoff, [1, 2])).toEqual([15_000, 30_000]);
  });

  it('does not wait a negative time', () => {
    expect(delays(() => -5, [1])).toEqual([0]);
    expect(delays({ type: 'fixed', delay: -5 }, [1])).toEqual([0]);
  });

  it('refuses a duration that cannot be read when it is made, not when an attempt fails', () => {
    const backoff = { type: 'fixed', delay: 'soon' } as unknown as Backoff;
    expect(() => retryPolicy({ backoff }, undefined, middle)).toThrow(RangeError);
  });
});

describe('retryOptionProblems', () => {
  it.each([
    [{}],
    [{ maxAttempts: 32_767, backoff: 'fixed' }],
    [{ backoff: () => '1s' }],
    [{ backoff: { type: 'exponential', delay: '1s', factor: 1.5, max: '1m', jitter: 0 } }],
  ])('finds nothing wrong with %p', (options) => {
    expect(retryOptionProblems(options, 'retry')).toEqual([]);
  });

  it.each([
    [{ maxAttempts: 1.5 }, 'retry.maxAttempts must be an integer from 1 to 32767, and is 1.5'],
    [{ maxAttempts: Number.NaN }, 'retry.maxAttempts must be an integer'],
    [{ attempts: 3 }, 'unknown option retry.attempts: there are maxAttempts, backoff'],
    [{ backoff: 'linear' }, 'retry.backoff must be "exponential", "fixed", an object'],
    [{ backoff: null }, 'retry.backoff must be an object, and is null'],
    [{ backoff: async () => 5 }, 'retry.backoff is an async function'],
    [{ backoff: { delay: '1s' } }, 'retry.backoff.type is missing'],
    [{ backoff: { type: 'liner' } }, 'retry.backoff.type must be "exponential" or "fixed"'],
    [{ backoff: { type: 'fixed', delay: -1 } }, 'retry.backoff.delay must be at least 0ms'],
    [{ backoff: { type: 'fixed', factor: 2 } }, 'retry.backoff.factor has no meaning'],
    [{ backoff: { type: 'exponential', factor: 0.5 } }, 'retry.backoff.factor must be a number'],
    [{ backoff: { type: 'exponential', jitter: 2 } }, 'retry.backoff.jitter must be a number'],
    [
      { backoff: { type: 'exponential', max: '10s' } },
      'shorter than the first wait, 15s by default',
    ],
    [{ backoff: { type: 'fixed', delay: '1m', max: '10s' } }, 'shorter than the first wait, "1m"'],
    [{ backoff: { type: 'fixed', maxDelay: 1 } }, 'unknown option retry.backoff.maxDelay'],
    [3, 'retry must be an object, and is 3'],
  ])('says what is wrong with %p', (options, problem) => {
    expect(retryOptionProblems(options, 'retry')).toEqual([expect.stringContaining(problem)]);
  });

  it('lists all problems at once', () => {
    const options = { maxAttempts: 0, backoff: { type: 'x', delay: 'y', jitter: -1 }, z: 1 };
    expect(retryOptionProblems(options, 'retry')).toHaveLength(5);
  });
});
