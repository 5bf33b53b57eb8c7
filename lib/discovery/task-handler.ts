import { ModuleRef } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { ActivationScope } from './activation-scope.js';

/** A handler as the worker calls it. One that is made for each activation is resolved in the scope; the others ignore it. */
export type TaskHandler = (event: unknown, ctx: unknown, scope: ActivationScope) => unknown;

type Instance = Record<string, (event: unknown, ctx: unknown) => unknown>;

/** The handler that a method of a provider or controller is. */
export function taskHandler(wrapper: InstanceWrapper, method: string): TaskHandler {
  if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) {
    const instance = wrapper.instance as Instance;
    // looked up at each call: a spy or a proxy that an app lays over the method counts
    return (event, ctx) => instance[method]!(event, ctx);
  }
  const modules = wrapper.host!.getProviderByKey<ModuleRef>(ModuleRef).instance;
  return async (event, ctx, scope) => {
    const instance = await modules.resolve<Instance>(wrapper.token as string, scope.contextId);
    return instance[method]!(event, ctx);
  };
}
