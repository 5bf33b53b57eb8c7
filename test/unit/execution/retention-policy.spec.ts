import { retentionPolicy } from '../../../lib/execution/retention-policy.js';

const day = 86_400_000;

describe('retentionPolicy', () => {
  it('keeps what completed for 7 days and what failed for 30, where nothing is said', () => {
    expect(retentionPolicy(undefined, undefined)).toEqual({
      completedMs: 7 * day,
      failedMs: 30 * day,
    });
  });

  it('takes each setting from the task, else from the module', () => {
    expect(retentionPolicy({ failed: '1d' }, { completed: '2d', failed: '3d' })).toEqual({
      completedMs: 2 * day,
      failedMs: day,
    });
  });

  it('keeps for ever what is false, and for no time what is 0, whatever the module says', () => {
    expect(
      retentionPolicy({ completed: false, failed: 0 }, { completed: '2d', failed: false }),
    ).toEqual({ completedMs: undefined, failedMs: 0 });
  });
});
