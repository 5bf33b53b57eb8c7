import { jest } from '@jest/globals';
import { validate, version } from 'uuid';
import { orderedUuid } from '../../../lib/common/ordered-uuid.js';

const timeOf = (id: string) => Number.parseInt(id.replace('-', '').slice(0, 12), 16);
const many = (count: number) => Array.from({ length: count }, () => orderedUuid());

describe('an ordered uuid', () => {
  afterEach(() => jest.restoreAllMocks());

  it('is one of version 7, of the time at which it was made', () => {
    const before = Date.now();
    const ids = many(5_000);
    expect(ids.every((id) => validate(id) && version(id) === 7)).toBe(true);
    expect(timeOf(ids[0]!)).toBeGreaterThanOrEqual(before);
  });

  it('comes after all that were made before it', () => {
    const ids = many(100_000);
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('does so also when the clock is set back', () => {
    const [before] = many(1);
    jest.spyOn(Date, 'now').mockReturnValue(timeOf(before!) - 3_600_000);
    const ids = many(1_000);
    expect([before, ...ids].toSorted()).toEqual([before, ...ids]);
  });

  it('shares no more than its time and its counter with the next one', () => {
    const random = many(1_000).map((id) => id.slice(24));
    expect(new Set(random).size).toBe(1_000);
  });

  it('goes on in the next millisecond when one is full', () => {
    jest.spyOn(Date, 'now').mockReturnValue(timeOf(orderedUuid()) + 1);
    const first = timeOf(orderedUuid());
    const ids = many(2 ** 18);
    expect(ids.every((id, at) => at === 0 || id > ids[at - 1]!)).toBe(true);
    expect(timeOf(ids.at(-1)!)).toBe(first + 1);
  });
});
