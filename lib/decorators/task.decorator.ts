import { SetMetadata } from '@nestjs/common';
import { TASK_METADATA } from '../conductor.constants.js';
import { isTaskContract } from '../contracts/define-task.js';
import type {
  contractTypes,
  HandlerPayloadOf,
  HandlerResultOf,
  TaskContract,
} from '../contracts/task-ref.js';
import { InvalidTaskError } from '../errors/invalid-task.error.js';
import type { TaskOptions } from '../interfaces/task-options.js';
import type { HandlerFits, Method, ResultFits } from './handler-fits.js';
import { methodSource, ownMethod } from './method-source.js';

/** A task without a contract: its options may stand beside its name. */
export interface NamedTask extends TaskOptions {
  /** 1 to 200 characters, unique within the queue. */
  name: string;
  /** Keeps contracts out. */
  readonly [contractTypes]?: never;
}

/** What `@Task` was given; judged at boot, where all tasks' problems are listed together. */
export interface TaskMetadata {
  contract?: TaskContract;
  name: unknown;
  options: TaskOptions;
}

// in both directions: without strictNullChecks, undefined extends everything
type SaysDecorated<Params> = [Params, 'decorated'] extends ['decorated', Params] ? true : false;

// generic in the method: a descriptor of one fixed function type is invariant and would refuse good handlers
export type ContractTaskDecorator<
  C extends TaskContract,
  Params extends TaskOptions['params'] = undefined,
> = <M extends Method>(
  target: object,
  method: string,
  descriptor: TypedPropertyDescriptor<M> &
    (SaysDecorated<Params> extends true
      ? ResultFits<M, HandlerResultOf<C>>
      : HandlerFits<M, HandlerPayloadOf<C>, HandlerResultOf<C>>),
) => void;

export type NamedTaskDecorator = <M extends Method>(
  target: object,
  method: string,
  descriptor: TypedPropertyDescriptor<M>,
) => void;

/**
 * Makes a method of a provider or controller the handler of a task: it is called with `(event, ctx)` for each attempt of each
 * execution, and what it returns is the result. The class is an ordinary one of the app, of any scope; it needs no registration.
 *
 * With a contract the compiler checks event, context and result; with a name alone it checks nothing, and the payload
 * arrives as it was passed. Parameter decorators (`@Payload()`, `@Ctx()`, `@ExecutionId()`, or of createParamDecorator with
 * an ExecutionContext of type `'conductor'`) may say what the handler gets instead. Options may stand beside the name or in the second argument, which wins.
 *
 * @throws InvalidTaskError where the decorator stands on something other than a method, or twice. Whatever is wrong with the
 * options fails the boot.
 */
export function Task<C extends TaskContract, Params extends TaskOptions['params'] = undefined>(
  contract: C,
  options?: TaskOptions & { params?: Params },
): ContractTaskDecorator<C, Params>;
export function Task(task: string | NamedTask, options?: TaskOptions): NamedTaskDecorator;
export function Task(
  task: TaskContract | string | NamedTask,
  options: TaskOptions = {},
): NamedTaskDecorator {
  return (target, method, descriptor) => {
    const source = methodSource(target, method);
    const handler = ownMethod('@Task', target, method, descriptor);
    if (Reflect.hasOwnMetadata(TASK_METADATA, handler)) {
      throw new InvalidTaskError(source, [
        'has two @Task decorators: a method handles one task; move what they share into another method',
      ]);
    }
    SetMetadata(TASK_METADATA, taskMetadata(task, options))(target, method, descriptor);
  };
}

function taskMetadata(task: TaskContract | string | NamedTask, options: TaskOptions): TaskMetadata {
  if (isTaskContract(task)) return { contract: task, name: task.name, options };
  if (typeof task !== 'object' || task === null) return { name: task, options };
  const { name, ...beside } = task;
  return { name, options: { ...beside, ...options } };
}
