import {
  ExternalContextCreator,
  ModuleRef,
  type ContextId,
  type NestContainer,
} from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { PARAMS_METADATA } from '../conductor.constants.js';
import { payloadOf } from '../decorators/params.decorator.js';
import type { InvokeEvent } from '../interfaces/invoke-event.js';
import type { ActivationScope } from './activation-scope.js';
import { completed, type ParamsMetadata } from './handler-params.js';

/** A handler as the worker calls it. One that is made for each activation is resolved in the scope; the others ignore it. */
export type TaskHandler = (event: unknown, ctx: unknown, scope: ActivationScope) => unknown;

type Call = (event: unknown, ctx: unknown) => unknown;
type Instance = Record<string, (...args: unknown[]) => unknown>;

/** The handler that a method of a provider or controller is. */
export function taskHandler(
  wrapper: InstanceWrapper,
  declaring: object,
  method: string,
  params: ParamsMetadata,
): TaskHandler {
  const callOf =
    Object.keys(params).length === 0
      ? directCall(method)
      : callWithParams(wrapper, declaring, method, params);
  if (wrapper.isDependencyTreeStatic() && !wrapper.isTransient) {
    const call = callOf(wrapper.instance as Instance);
    return (event, ctx) => call(event, ctx);
  }
  const modules = wrapper.host!.getProviderByKey<ModuleRef>(ModuleRef).instance;
  return async (event, ctx, scope) => {
    const instance = await modules.resolve<Instance>(wrapper.token as string, scope.contextId);
    return callOf(instance, scope.contextId)(event, ctx);
  };
}

/** The method is looked up at each call: a spy or a proxy that an app lays over it counts. */
function directCall(method: string): (instance: Instance) => Call {
  return (instance) => (event, ctx) => instance[method]!(event, ctx);
}

/** Lets Nest make the arguments: 8 µs a call of a singleton. This is the place for guards, interceptors and filters, once tasks have them. */
function callWithParams(
  wrapper: InstanceWrapper,
  declaring: object,
  method: string,
  params: ParamsMetadata,
): (instance: Instance, contextId?: ContextId) => Call {
  Reflect.defineMetadata(PARAMS_METADATA, completed(params), declaring, method);
  const creator = creatorFor(wrapper);
  const paramsFactory = {
    exchangeKeyForValue: (_body: number, property: unknown, [event]: [InvokeEvent]) =>
      payloadOf(event, property as string | undefined),
  };
  return (instance, contextId) =>
    creator.create(
      instance,
      lookedUp(instance, method),
      method,
      PARAMS_METADATA,
      paramsFactory,
      contextId,
      wrapper.id,
      { guards: false, interceptors: false, filters: false },
      'conductor',
    );
}

/** Nest looks a handler's module up among providers only, where a controller's pipes would silently be left out; and with the app's
 *  container the global enhancers, which were made for requests, would run. So it sees a container with this one host. */
function creatorFor(wrapper: InstanceWrapper): ExternalContextCreator {
  const { token, injectables } = wrapper.host!;
  const host = {
    injectables,
    providers: new Map([[wrapper.token, wrapper]]),
    hasProvider: () => true,
    entryProviders: [],
  };
  const modules = new Map([[token, host]]);
  return ExternalContextCreator.fromContainer({
    getModules: () => modules,
  } as unknown as NestContainer);
}

/** As in a direct call, with what decorators have left on the method: Nest reads its pipes there. */
function lookedUp(instance: Instance, method: string): (...args: unknown[]) => unknown {
  const call = (...args: unknown[]) => instance[method]!(...args);
  const original = instance[method]!;
  for (const key of Reflect.getOwnMetadataKeys(original))
    Reflect.defineMetadata(key, Reflect.getOwnMetadata(key, original), call);
  return call;
}
