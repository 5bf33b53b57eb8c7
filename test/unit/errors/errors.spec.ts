import { readdirSync } from 'node:fs';
import { AttemptTimeoutError } from '../../../lib/errors/attempt-timeout.error.js';
import { ConductorError } from '../../../lib/errors/conductor.error.js';
import { ConductorStoppedError } from '../../../lib/errors/conductor-stopped.error.js';
import { DatabaseError } from '../../../lib/errors/database.error.js';
import { DatabaseUnavailableError } from '../../../lib/errors/database-unavailable.error.js';
import { DeadlineExceededError } from '../../../lib/errors/deadline-exceeded.error.js';
import { DivergenceError } from '../../../lib/errors/divergence.error.js';
import { DuplicateStepError } from '../../../lib/errors/duplicate-step.error.js';
import { DuplicateTaskError } from '../../../lib/errors/duplicate-task.error.js';
import { ExecutionCancelledError } from '../../../lib/errors/execution-cancelled.error.js';
import { ExecutionClosedError } from '../../../lib/errors/execution-closed.error.js';
import { ExecutionCompletedError } from '../../../lib/errors/execution-completed.error.js';
import { ExecutionFailedError } from '../../../lib/errors/execution-failed.error.js';
import { ExecutionIdBusyError } from '../../../lib/errors/execution-id-busy.error.js';
import { ExecutionIdConflictError } from '../../../lib/errors/execution-id-conflict.error.js';
import { ExecutionNotEndedError } from '../../../lib/errors/execution-not-ended.error.js';
import { ExpiredError } from '../../../lib/errors/expired.error.js';
import { InstallBlockedError } from '../../../lib/errors/install-blocked.error.js';
import { InsideStepError } from '../../../lib/errors/inside-step.error.js';
import { InvalidInvokeError } from '../../../lib/errors/invalid-invoke.error.js';
import { InvalidStepError } from '../../../lib/errors/invalid-step.error.js';
import { InvalidTaskError } from '../../../lib/errors/invalid-task.error.js';
import { LeaseLostError } from '../../../lib/errors/lease-lost.error.js';
import { MissingPackageError } from '../../../lib/errors/missing-package.error.js';
import { MissingPrivilegeError } from '../../../lib/errors/missing-privilege.error.js';
import { NoTasksError } from '../../../lib/errors/no-tasks.error.js';
import { NoTransactionsError } from '../../../lib/errors/no-transactions.error.js';
import { NonRetryableError } from '../../../lib/errors/non-retryable.error.js';
import { InvalidOptionsError } from '../../../lib/errors/options.error.js';
import { NotInTransactionError } from '../../../lib/errors/not-in-transaction.error.js';
import { OtherDatabaseError } from '../../../lib/errors/other-database.error.js';
import { PayloadInvalidError } from '../../../lib/errors/payload-invalid.error.js';
import { RecordExpiredError } from '../../../lib/errors/record-expired.error.js';
import { ResultExpiredError } from '../../../lib/errors/result-expired.error.js';
import { ResultInvalidError } from '../../../lib/errors/result-invalid.error.js';
import { ResultTimeoutError } from '../../../lib/errors/result-timeout.error.js';
import { RetryAfterError } from '../../../lib/errors/retry-after.error.js';
import { SchemaVersionError } from '../../../lib/errors/schema-version.error.js';
import { SerializationError } from '../../../lib/errors/serialization.error.js';
import { ShuttingDownError } from '../../../lib/errors/shutting-down.error.js';
import { StepTimeoutError } from '../../../lib/errors/step-timeout.error.js';
import { StepLimitError } from '../../../lib/errors/step-limit.error.js';
import { TransactionAbortedError } from '../../../lib/errors/transaction-aborted.error.js';
import { UncommittedExecutionError } from '../../../lib/errors/uncommitted-execution.error.js';
import { UnknownExecutionError } from '../../../lib/errors/unknown-execution.error.js';
import { UnknownStepError } from '../../../lib/errors/unknown-step.error.js';
import { WorkerLostError } from '../../../lib/errors/worker-lost.error.js';

const id = '0190-id';
const cause = new Error('the cause');

/** One of each, with its code and what its message must tell. */
const errors: [ConductorError, string, string[]][] = [
  [
    new AttemptTimeoutError(id, 'shop.ship', 250),
    'CONDUCTOR_ATTEMPT_TIMEOUT',
    [id, 'shop.ship', '250 ms', 'ctx.signal'],
  ],
  [new DeadlineExceededError(id), 'CONDUCTOR_DEADLINE', [id, 'deadline']],
  [new ExpiredError(id), 'CONDUCTOR_EXPIRED', [id, 'expireAfter']],
  [
    new StepTimeoutError('reserve', 250),
    'CONDUCTOR_STEP_TIMEOUT',
    ['reserve', '250 ms', 'ctx.signal'],
  ],
  [new ConductorStoppedError('invoke'), 'CONDUCTOR_STOPPED', ['invoke', 'closed']],
  [new DatabaseError('42P01', 'no such table'), 'CONDUCTOR_DATABASE', ['42P01', 'no such table']],
  [
    new DatabaseUnavailableError('db:5432/shop', cause, 'enqueue'),
    'CONDUCTOR_DATABASE_UNAVAILABLE',
    ['db:5432/shop', 'the cause', 'enqueue'],
  ],
  [
    new DivergenceError(id, 't', {
      expected: [{ name: 'charge', kind: 'step' }],
      found: { name: 'pause', kind: 'sleep' },
      reason: 'it changed',
    }),
    'CONDUCTOR_DIVERGENCE',
    [id, '"t"', 'it changed.', 'Recorded: step "charge".', 'Asked for: sleep "pause".'],
  ],
  [new ExecutionNotEndedError(id, 'blocked'), 'CONDUCTOR_EXECUTION_NOT_ENDED', [id, 'resume']],
  [new ExecutionCompletedError(id), 'CONDUCTOR_EXECUTION_COMPLETED', [id, 'fork', 'fromStep']],
  [new RecordExpiredError(id), 'CONDUCTOR_RECORD_EXPIRED', [id, 'retention']],
  [
    new UnknownStepError(id, 'chrage', ['load', 'charge']),
    'CONDUCTOR_UNKNOWN_STEP',
    [id, '"chrage"', 'mean "charge"', '"load"', 'retry'],
  ],
  [new DuplicateStepError('load'), 'CONDUCTOR_DUPLICATE_STEP', ['"load"']],
  [
    new DuplicateTaskError('t', 'q', 'A.one', 'B.two'),
    'CONDUCTOR_DUPLICATE_TASK',
    ['"t"', '"q"', 'A.one', 'B.two'],
  ],
  [
    new ExecutionCancelledError(id, 't', 'no longer needed'),
    'CONDUCTOR_EXECUTION_CANCELLED',
    [id, '"t"', 'no longer needed'],
  ],
  [new ExecutionClosedError(id, 'ctx.step'), 'CONDUCTOR_EXECUTION_CLOSED', [id, 'ctx.step']],
  [
    new ExecutionFailedError(id, 't', cause),
    'CONDUCTOR_EXECUTION_FAILED',
    [id, '"t"', 'the cause'],
  ],
  [new ExecutionIdConflictError(id, 't'), 'CONDUCTOR_EXECUTION_ID_CONFLICT', [id, '"t"']],
  [
    new InstallBlockedError('s', 61_000, [
      { pid: 7, application: 'psql', user: 'dba', state: 'active', transactionSeconds: 65 },
    ]),
    'CONDUCTOR_INSTALL_BLOCKED',
    [
      '"s"',
      '61 s',
      'session 7 (psql, role dba, active, in a transaction for 65 s)',
      'terminate_backend(7)',
    ],
  ],
  [
    new InstallBlockedError('s', 61_000, [{ pid: 7, application: '', user: 'dba' }]),
    'CONDUCTOR_INSTALL_BLOCKED',
    ['session 7 (role dba)'],
  ],
  [new InstallBlockedError('s', 61_000, []), 'CONDUCTOR_INSTALL_BLOCKED', ['pg_locks']],
  [new InsideStepError('load', 'ctx.sleep'), 'CONDUCTOR_INSIDE_STEP', ['"load"', 'ctx.sleep']],
  [new NoTransactionsError('pay'), 'CONDUCTOR_NO_TRANSACTIONS', ['"pay"', 'transactions: {']],
  [
    new OtherDatabaseError('other', 'default', 'conductor', 'steps'),
    'CONDUCTOR_OTHER_DATABASE',
    ['"default"', '"conductor"', 'another database'],
  ],
  [
    new OtherDatabaseError('invisible', 'default', 'conductor', 'steps'),
    'CONDUCTOR_OTHER_DATABASE',
    ['"default"', 'cannot read', 'grant usage on schema "conductor"'],
  ],
  [
    new OtherDatabaseError('refused', 'default', 'conductor', 'steps'),
    'CONDUCTOR_OTHER_DATABASE',
    ['"default"', 'may not record', 'grant select, insert, update'],
  ],
  [
    new OtherDatabaseError('refused', 'shop', 'conductor', 'using'),
    'CONDUCTOR_OTHER_DATABASE',
    ['(shop)', 'using()', 'may not enqueue', 'grant select, insert on', 'grant execute'],
  ],
  [
    new NotInTransactionError('none', 'using(…).invoke'),
    'CONDUCTOR_NOT_IN_TRANSACTION',
    ['using(…).invoke', 'in no transaction', 'dataSource.transaction(', 'startTransaction()'],
  ],
  [
    new NotInTransactionError('ended', 'using(…).invoke'),
    'CONDUCTOR_NOT_IN_TRANSACTION',
    ['using(…).invoke', 'has ended', 'Await'],
  ],
  [
    new NotInTransactionError('read-only', 'using(…).invoke'),
    'CONDUCTOR_NOT_IN_TRANSACTION',
    ['using(…).invoke', 'read-only'],
  ],
  [
    new TransactionAbortedError('using(…).invoke', '40001', cause),
    'CONDUCTOR_TRANSACTION_ABORTED',
    ['using(…).invoke', 'the cause', 'rolled back', 'run all of it again'],
  ],
  [
    new UncommittedExecutionError(id, 'result'),
    'CONDUCTOR_UNCOMMITTED_EXECUTION',
    [id, 'result()', 'conductor.handle(id).result()'],
  ],
  [
    new ExecutionIdBusyError([id], 't', 10_000),
    'CONDUCTOR_EXECUTION_ID_BUSY',
    [id, '"t"', '10000 ms', 'same id'],
  ],
  [
    new ExecutionIdBusyError([id, id], 't', 10_000),
    'CONDUCTOR_EXECUTION_ID_BUSY',
    ['One of the ids', '"t"'],
  ],
  [new InvalidInvokeError(['one', 'two']), 'CONDUCTOR_INVALID_INVOKE', ['\n  - one\n  - two']],
  [
    new InvalidStepError('ctx.step', ['one', 'two']),
    'CONDUCTOR_INVALID_STEP',
    ['ctx.step', 'one; two'],
  ],
  [
    new InvalidTaskError('A.one', ['is odd', 'is even']),
    'CONDUCTOR_INVALID_TASK',
    ['A.one', '\n  - is odd\n  - is even'],
  ],
  [new LeaseLostError(id), 'CONDUCTOR_LEASE_LOST', [id]],
  [
    new MissingPackageError('class-validator', 'The class Dto', 'npm install it'),
    'CONDUCTOR_MISSING_PACKAGE',
    ['The class Dto', 'class-validator', 'npm install it'],
  ],
  [new ShuttingDownError(), 'CONDUCTOR_SHUTTING_DOWN', ['stop now', 'shutdown.hard']],
  [
    new MissingPrivilegeError('app', ['SELECT on run', 'INSERT on run'], ['GRANT A', 'GRANT B']),
    'CONDUCTOR_MISSING_PRIVILEGE',
    ['"app"', 'SELECT on run; INSERT on run', '\n  GRANT A;\n  GRANT B;'],
  ],
  [new NoTasksError(), 'CONDUCTOR_NO_TASKS', ['@Task', '"client"']],
  [new NonRetryableError('declined', { cause }), 'CONDUCTOR_NON_RETRYABLE', ['declined']],
  [new InvalidOptionsError(['one', 'two']), 'CONDUCTOR_INVALID_OPTIONS', ['\n  - one\n  - two']],
  [
    new PayloadInvalidError('t', [
      { path: 'items[3].name', message: 'too long' },
      { path: '', message: 'odd' },
    ]),
    'CONDUCTOR_PAYLOAD_INVALID',
    ['"t"', '\n  - items[3].name: too long\n  - odd'],
  ],
  [
    new ResultInvalidError('t', [{ path: 'id', message: 'missing' }]),
    'CONDUCTOR_RESULT_INVALID',
    ['"t"', '\n  - id: missing'],
  ],
  [
    new ResultExpiredError(id, 'failed'),
    'CONDUCTOR_RESULT_EXPIRED',
    [id, 'has ended (failed)', 'retention'],
  ],
  [new ResultTimeoutError(id, 5_000), 'CONDUCTOR_RESULT_TIMEOUT', [id, '5000 ms', 'goes on']],
  [new RetryAfterError('90s'), 'CONDUCTOR_RETRY_AFTER', ['90000 ms']],
  [
    new SchemaVersionError({ reason: 'missing', schema: 's' }),
    'CONDUCTOR_SCHEMA_VERSION',
    ['"s"', 'not installed'],
  ],
  [
    new SchemaVersionError({ reason: 'occupied', schema: 's', found: ['orders', 'total()'] }),
    'CONDUCTOR_SCHEMA_VERSION',
    ['"s"', 'orders, total()', 'option schema'],
  ],
  [
    new SchemaVersionError({ reason: 'behind', schema: 's', pending: ['A1', 'B2'] }),
    'CONDUCTOR_SCHEMA_VERSION',
    ['"s"', 'A1, B2'],
  ],
  [
    new SchemaVersionError({
      reason: 'ahead',
      schema: 's',
      installed: 7,
      minCompatible: 6,
      code: 4,
    }),
    'CONDUCTOR_SCHEMA_VERSION',
    ['"s"', '7', '6', '4', 'Upgrade'],
  ],
  [
    new SerializationError('payload of task "t"', 'a.b', 'is a function'),
    'CONDUCTOR_SERIALIZATION',
    ['payload of task "t"', 'a.b is a function'],
  ],
  [new StepLimitError('load', 10_000), 'CONDUCTOR_STEP_LIMIT', ['"load"', '10000', 'one step']],
  [new UnknownExecutionError(id), 'CONDUCTOR_UNKNOWN_EXECUTION', [id, 'retention']],
  [new WorkerLostError(3), 'WORKER_LOST', ['3 times']],
];

describe.each(errors.map(([error, code, told]) => ({ error, code, told })))(
  '$code $error.name',
  ({ error, code, told }) => {
    it('has its class for a name, a stable code and a message with the facts', () => {
      expect(error).toBeInstanceOf(ConductorError);
      expect(error).toBeInstanceOf(Error);
      expect(error.name).toBe(error.constructor.name);
      expect(error.code).toBe(code);
      for (const fact of told) expect(error.message).toContain(fact);
    });
  },
);

it('every error class is covered here', () => {
  const files = readdirSync(new URL('../../../lib/errors', import.meta.url)).filter((file) =>
    file.endsWith('.error.ts'),
  );
  expect(new Set(errors.map(([error]) => error.name)).size).toBe(files.length - 1); // the base
});

it('no two classes share a code', () => {
  const byClass = new Map(errors.map(([error, code]) => [error.name, code]));
  expect(new Set(byClass.values()).size).toBe(byClass.size);
});

describe('RetryAfterError', () => {
  it('gives the wait in milliseconds, never less than none', () => {
    expect(new RetryAfterError('90s').delayMs).toBe(90_000);
    expect(new RetryAfterError(-1).delayMs).toBe(0);
  });

  it('takes a message and a cause of its own', () => {
    const error = new RetryAfterError('1s', 'rate limited', { cause });
    expect(error).toMatchObject({ message: 'rate limited', cause });
  });

  it('refuses what is not a duration', () => {
    expect(() => new RetryAfterError('soon' as '1s')).toThrow(RangeError);
  });
});

it('DatabaseUnavailableError keeps its cause and needs neither a message of it nor a purpose', () => {
  expect(new DatabaseUnavailableError('db', cause).cause).toBe(cause);
  expect(new DatabaseUnavailableError('db', undefined).message).toContain('at db did not answer. ');
});

it('DivergenceError names the first ten of many records and counts the rest', () => {
  const expected = Array.from({ length: 25 }, (_, i) => ({ name: `s${i}`, kind: 'step' }));
  const error = new DivergenceError(id, 't', { expected, reason: 'x' });
  expect(error.message).toContain('step "s9" and 15 more.');
  expect(error.message).not.toContain('Asked for');
  expect(error.diff.expected).toHaveLength(25);
});

it('ConductorStoppedError tells before the start from after the end', () => {
  expect(new ConductorStoppedError('invoke', 'before-start').message).toContain(
    'before the app had started',
  );
});
