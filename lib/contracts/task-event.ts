import type { InvokeEvent } from '../interfaces/invoke-event.js';
import type { HandlerPayloadOf, TaskContract } from './task-ref.js';

type Untyped = TaskContract<string, unknown, unknown, unknown, unknown>;

/** What a contract's handler gets as its first argument. Without a contract the payload is unknown. */
export type TaskEvent<C extends TaskContract = Untyped> = InvokeEvent<HandlerPayloadOf<C>>;

/** Gives the type a value at run time, so that a plain import works with `emitDecoratorMetadata`; see `TaskContext`. */
export const TaskEvent: abstract new () => object = class TaskEvent {};
