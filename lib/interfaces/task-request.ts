import type { InvokeEvent } from './invoke-event.js';
import type { TaskContext } from './task-context.js';

/** What `@Inject(REQUEST)` gives to a request-scoped provider that serves an execution; `instanceof TaskRequest` tells it from an
 *  HTTP request. There is one for each activation of a handler: an attempt that slept goes on with another. */
export class TaskRequest<P = unknown> {
  constructor(
    /** What the handler's first argument is. */
    readonly event: InvokeEvent<P>,
    /** What the handler's second argument is. A request-scoped custom context adds its members once it has been made: they are not
     *  there yet in its own constructor, nor in those of what it injects. */
    readonly ctx: TaskContext,
  ) {}
}
