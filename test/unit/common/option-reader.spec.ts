import { OptionReader } from '../../../lib/common/option-reader.js';

const read = (given: Record<string, unknown>, where = '') => new OptionReader(given, where, []);

describe('OptionReader', () => {
  it('takes an option that is undefined for one that was not given', () => {
    const reader = read({ a: undefined });
    expect([reader.integer('a', 1, 2), reader.duration('a', '0s'), reader.boolean('a')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(reader.problems).toEqual([]);
  });

  it('names an option by its whole place', () => {
    const problems: string[] = [];
    const queues = OptionReader.open({ 'a b': { n: 0 } }, 'queues', problems)!;
    queues.nested('a b')!.integer('n', 1, 9);
    expect(problems).toEqual(['queues["a b"].n must be an integer from 1 to 9, and is 0']);
  });

  it('notes each problem and goes on', () => {
    const reader = read({ n: 1.5, b: 'yes', d: '1h', e: 'rde', o: [] }, 'at');
    reader.integer('n', 1, 9, 'there are nine');
    reader.boolean('b');
    reader.duration('d', '1s', '1m');
    reader.oneOf('e', ['red', 'blue', 'green']);
    reader.nested('o');
    expect(reader.problems).toEqual([
      'at.n must be an integer from 1 to 9 (there are nine), and is 1.5',
      'at.b must be true or false, and is "yes"',
      'at.d must be from 1s to 1m, and is "1h"',
      'at.e must be "red", "blue" or "green", and is "rde"',
      'at.o must be an object, and is an array',
    ]);
  });

  it('suggests the option that was probably meant, or lists them all', () => {
    const reader = read({ colour: 1, size: 2 }, 'at');
    reader.onlyKnown(['color', 'width']);
    expect(reader.problems).toEqual([
      'unknown option at.colour: did you mean at.color?',
      'unknown option at.size: there are color, width',
    ]);
  });
});
