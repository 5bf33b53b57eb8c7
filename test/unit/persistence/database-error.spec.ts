import { classify } from '../../../lib/persistence/database-error.js';

describe('classify', () => {
  it.each([
    ['40001', 'retry'],
    ['ECONNREFUSED', 'retry'],
    ['23505', 'item'],
    ['22P02', 'item'],
    ['42501', 'worker'],
    ['28P01', 'worker'],
    ['57P01', 'ambiguous'],
    ['ECONNRESET', 'ambiguous'],
    // what Node says of TLS and streams is the connection's, and no item of a batch is at fault
    ['ERR_STREAM_DESTROYED', 'ambiguous'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'ambiguous'],
    ['CERT_HAS_EXPIRED', 'ambiguous'],
    ['40003', 'ambiguous'],
    ['25P03', 'ambiguous'],
  ])('takes %s for %s', (code, kind) => {
    expect(classify(Object.assign(new Error('it failed'), { code }))).toBe(kind);
  });

  it('takes what has no code for a lost connection, unless it never got one', () => {
    expect(classify(new Error('Connection terminated unexpectedly'))).toBe('ambiguous');
    expect(classify(new Error('timeout exceeded when trying to connect'))).toBe('retry');
  });
});
