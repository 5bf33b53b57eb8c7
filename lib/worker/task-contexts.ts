import type { ActivationScope } from '../discovery/activation-scope.js';
import type { TaskHandler } from '../discovery/task-handler.js';
import { TaskRequest } from '../interfaces/task-request.js';
import type { TaskContext } from '../interfaces/task-context.js';
import { withMembers } from './custom-members.js';
import { ActivationContext, type ContextParts } from './task-context.js';

/** The app's own context: one for all handlers, or one made for each activation. */
export type CustomContext =
  { shared: object } | { perActivation: (scope: ActivationScope) => Promise<object> };

/** Gives handlers their contexts, and each activation its DI context. */
export class TaskContexts {
  private readonly contextClass: new (parts: ContextParts) => ActivationContext;
  private readonly perActivation?: (scope: ActivationScope) => Promise<object>;

  constructor(
    private readonly openScope: (request: TaskRequest) => ActivationScope,
    custom?: CustomContext,
  ) {
    this.contextClass = class TaskContext extends ActivationContext {};
    if (custom === undefined) return;
    if ('shared' in custom)
      Object.setPrototypeOf(
        this.contextClass.prototype,
        withMembers(ActivationContext.prototype, custom.shared),
      );
    else this.perActivation = custom.perActivation;
  }

  call(handler: TaskHandler, parts: ContextParts): unknown {
    const ctx = new this.contextClass(parts);
    const scope = this.openScope(new TaskRequest(parts.event, ctx as TaskContext));
    if (this.perActivation === undefined) return handler(parts.event, ctx, scope);
    return this.perActivation(scope).then((custom) => {
      Object.setPrototypeOf(ctx, withMembers(ActivationContext.prototype, custom));
      return handler(parts.event, ctx, scope);
    });
  }
}
