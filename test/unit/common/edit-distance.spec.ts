import { closest, editDistance } from '../../../lib/common/edit-distance.js';

describe('editDistance', () => {
  it.each([
    ['', '', 0],
    ['', 'abc', 3],
    ['queue', 'queues', 1],
    ['migratoins', 'migrations', 1],
    ['kitten', 'sitting', 3],
  ])('between %j and %j is %d', (a, b, distance) => {
    expect(editDistance(a, b)).toBe(distance);
    expect(editDistance(b, a)).toBe(distance);
  });
});

describe('closest', () => {
  const names = ['queues', 'role', 'lease', 'listen'];

  it('finds what was meant, whatever its case', () => {
    expect(closest('queue', names)).toBe('queues');
    expect(closest('Lease', names)).toBe('lease');
    expect(closest('lsiten', names)).toBe('listen');
  });

  it('guesses nothing where the words have little in common', () => {
    expect(closest('timeout', names)).toBeUndefined();
    expect(closest('x', names)).toBeUndefined();
  });
});
