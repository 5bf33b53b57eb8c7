import { dateOf, isoText } from '../../../lib/common/iso-date.js';

it('writes a date and reads it back, to the millisecond', () => {
  for (const ms of [0, -1, 1_700_000_000_123, 8.64e15, -8.64e15]) {
    expect(dateOf(isoText(new Date(ms))!).getTime()).toBe(ms);
  }
});

it('has no text for an invalid date, and no date for another text', () => {
  expect(isoText(new Date(Number.NaN))).toBeUndefined();
  expect(() => dateOf('tomorrow')).toThrow('"tomorrow" is not a date');
});
