import { taskOptionProblems } from '../../../lib/discovery/task-option-problems.js';

describe('taskOptionProblems', () => {
  it.each([
    [{}],
    [{ queue: 'emails', priority: -32_768, maxLosses: 1, version: 0, retry: { maxAttempts: 1 } }],
    [{ retention: { completed: 0, failed: false } }],
    [{ retention: { completed: '90s' } }],
    [{ queue: undefined, maxLosses: false, priority: 32_767, version: 2_147_483_647 }],
  ])('finds nothing wrong with %j', (options) => {
    expect(taskOptionProblems(options, '')).toEqual([]);
  });

  it('lists every problem, with its place', () => {
    const problems = taskOptionProblems(
      {
        queue: '',
        retry: { maxAttempts: 0, backoff: { type: 'fixed', delay: 'soon' } },
        retention: { completed: true, failed: '-1d', cancelled: '1d' },
        priority: 40_000,
        maxLosses: 0,
        version: 1.5,
        prioritty: 1,
      },
      'options',
    );
    expect(problems).toEqual([
      'unknown option options.prioritty: did you mean options.priority?',
      'options.queue must not be empty',
      'options.retry.maxAttempts must be an integer from 1 to 32767, and is 0',
      expect.stringMatching(/^options\.retry\.backoff\.delay: "soon" is not a duration/),
      'unknown option options.retention.cancelled: there are completed, failed',
      'options.retention.completed must be a duration such as "7d", or false to keep for ever, and is true',
      'options.retention.failed must be at least 0ms, and is "-1d"',
      'options.priority must be an integer from -32768 to 32767, and is 40000',
      'options.maxLosses must be an integer from 1 to 32767 (or false, for no limit), and is 0',
      'options.version must be an integer from 0 to 2147483647, and is 1.5',
    ]);
  });

  it('names the option alone where nothing stands before it', () => {
    expect(taskOptionProblems({ queue: 7 }, '')).toEqual(['queue must be a string, not number']);
  });

  it.each([[null], ['fast'], [[]]])('refuses %j in place of an object', (options) => {
    expect(taskOptionProblems(options, 'options')).toEqual([
      expect.stringContaining('must be an object'),
    ]);
  });
});
