// The module
export { ConductorModule } from './conductor.module.js';
export type {
  ConductorModuleExtras,
  ConductorOptionsFactory,
} from './conductor.module-definition.js';
export type {
  ConductorModuleOptions,
  ConnectionOptions,
  ContextOption,
  QueueOptions,
  TransactionsOptions,
} from './interfaces/module-options.js';

// Writing tasks
export { defineTask } from './contracts/define-task.js';
export { type } from './contracts/schema.js';
export type { DataOf } from './contracts/dto-class.js';
export { Task } from './decorators/task.decorator.js';
export { Step } from './decorators/step.decorator.js';
export { Ctx, ExecutionId, Payload } from './decorators/params.decorator.js';
export { Tx } from './decorators/tx.decorator.js';
export { TaskContext, type BaseContext } from './interfaces/task-context.js';
export { TaskRequest } from './interfaces/task-request.js';
export { TaskEvent } from './contracts/task-event.js';
export type { PayloadOf, ResultOf, TaskContract, TaskRef } from './contracts/task-ref.js';
export type { Duration } from './interfaces/duration.js';
export type {
  Backoff,
  BackoffFunction,
  BackoffOptions,
  RetryOptions,
} from './interfaces/retry-options.js';
export type { RetentionOptions } from './interfaces/retention-options.js';
export type { StepMethodOptions, StepOptions } from './interfaces/step-options.js';
export type { TaskLogger } from './interfaces/task-logger.js';
export type { Injected } from './interfaces/injected.js';
export type { TaskOptions, TaskSettings } from './interfaces/task-options.js';

// Asking for work
export { Conductor } from './client/conductor.js';
export {
  ExecutionHandle,
  InvokedExecution,
  type ResultOptions,
} from './client/execution-handle.js';
export { TransactionalConductor } from './client/transactional-conductor.js';
export type { UncommittedExecution } from './client/uncommitted-execution.js';
export type { CancelOptions } from './client/canceller.js';
export type { ResumeFilter } from './client/resumer.js';
export type {
  ForkOptions,
  RerunOptions,
  RetriedExecution,
  RetryManyFilter,
} from './interfaces/rerun-options.js';
export type { InvokeItem, InvokeOptions, InvokeOutcome } from './interfaces/invoke-options.js';
export type {
  ExecutionFilter,
  ExecutionPage,
  ExecutionView,
  QueueView,
  StepView,
} from './execution/execution-view.js';
export type { CancelAnswer } from './execution/cancel-answer.js';
export type { ExecutionStatus } from './execution/execution-status.js';
export type { SerializedError } from './execution/serialized-error.js';

// Keeping it running
export { Orchestrator, type OrchestratorInfo } from './orchestrator/orchestrator.js';

// Errors
export { AttemptTimeoutError } from './errors/attempt-timeout.error.js';
export { ConductorStoppedError } from './errors/conductor-stopped.error.js';
export { ConductorError } from './errors/conductor.error.js';
export { DatabaseUnavailableError } from './errors/database-unavailable.error.js';
export { DatabaseError } from './errors/database.error.js';
export { DeadlineExceededError } from './errors/deadline-exceeded.error.js';
export { DivergenceError } from './errors/divergence.error.js';
export { DuplicateStepError } from './errors/duplicate-step.error.js';
export { DuplicateTaskError } from './errors/duplicate-task.error.js';
export { ExecutionCancelledError } from './errors/execution-cancelled.error.js';
export { ExecutionClosedError } from './errors/execution-closed.error.js';
export { ExecutionCompletedError } from './errors/execution-completed.error.js';
export { ExecutionFailedError } from './errors/execution-failed.error.js';
export { ExecutionIdBusyError } from './errors/execution-id-busy.error.js';
export { ExecutionIdConflictError } from './errors/execution-id-conflict.error.js';
export { ExecutionNotEndedError } from './errors/execution-not-ended.error.js';
export { ExpiredError } from './errors/expired.error.js';
export { InstallBlockedError, type BlockingSession } from './errors/install-blocked.error.js';
export { InsideStepError } from './errors/inside-step.error.js';
export { InvalidInvokeError } from './errors/invalid-invoke.error.js';
export { InvalidStepError } from './errors/invalid-step.error.js';
export { InvalidTaskError } from './errors/invalid-task.error.js';
export { LeaseLostError } from './errors/lease-lost.error.js';
export { MissingPackageError } from './errors/missing-package.error.js';
export { MissingPrivilegeError } from './errors/missing-privilege.error.js';
export { NoTasksError } from './errors/no-tasks.error.js';
export { NoTransactionsError } from './errors/no-transactions.error.js';
export { NonRetryableError } from './errors/non-retryable.error.js';
export { InvalidOptionsError } from './errors/options.error.js';
export {
  NotInTransactionError,
  type NotInTransactionReason,
} from './errors/not-in-transaction.error.js';
export { OtherDatabaseError, type OtherDatabaseReason } from './errors/other-database.error.js';
export { PayloadInvalidError } from './errors/payload-invalid.error.js';
export { RecordExpiredError } from './errors/record-expired.error.js';
export { ResultExpiredError } from './errors/result-expired.error.js';
export { ResultInvalidError } from './errors/result-invalid.error.js';
export { ResultTimeoutError } from './errors/result-timeout.error.js';
export { RetryAfterError } from './errors/retry-after.error.js';
export { SchemaVersionError } from './errors/schema-version.error.js';
export { SerializationError } from './errors/serialization.error.js';
export { ShuttingDownError } from './errors/shutting-down.error.js';
export { StepLimitError } from './errors/step-limit.error.js';
export { StepTimeoutError } from './errors/step-timeout.error.js';
export { TransactionAbortedError } from './errors/transaction-aborted.error.js';
export { UncommittedExecutionError } from './errors/uncommitted-execution.error.js';
export { UnknownExecutionError } from './errors/unknown-execution.error.js';
export { UnknownStepError } from './errors/unknown-step.error.js';
export { WorkerLostError } from './errors/worker-lost.error.js';
