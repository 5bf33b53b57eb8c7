import { Scope, type Type } from '@nestjs/common';
import {
  OPTIONAL_DEPS_METADATA,
  OPTIONAL_PROPERTY_DEPS_METADATA,
  PARAMTYPES_METADATA,
  PROPERTY_DEPS_METADATA,
  SCOPE_OPTIONS_METADATA,
  SELF_DECLARED_DEPS_METADATA,
} from '@nestjs/common/constants.js';
import type { ContextId, ModuleRef } from '@nestjs/core';
import { ActivationScope } from '../discovery/activation-scope.js';
import { Injection } from '../discovery/injection.js';
import { InvalidOptionsError } from '../errors/options.error.js';
import type { ContextOption } from '../interfaces/module-options.js';
import type { TaskRequest } from '../interfaces/task-request.js';
import { memberProblems, membersOf } from '../worker/custom-members.js';
import { TaskContexts } from '../worker/task-contexts.js';

/** How the app's own context is made: once, or for each activation if it or anything it injects is request-scoped. */
interface ContextSource {
  isRequestScoped: boolean;
  make(contextId?: ContextId): Promise<unknown>;
}

/** Makes what gives handlers their contexts, with the members of the app's own one.
 *  @throws InvalidOptionsError when it cannot be built, or a member has the name of a built-in one */
export async function taskContexts(
  option: ContextOption | undefined,
  modules: ModuleRef,
): Promise<TaskContexts> {
  const openScope = (request: TaskRequest) => new ActivationScope(modules, request);
  if (option === undefined) return new TaskContexts(openScope);
  const source =
    typeof option === 'function' ? fromClass(option, modules) : fromFactory(option, modules);
  // before one is made: it would never come if it had a `then`; and where it is request-scoped, none is made at boot
  if (typeof option === 'function') refuse(declaredMembers(option));
  if (!source.isRequestScoped)
    return new TaskContexts(openScope, { shared: checked(await source.make()) });
  return new TaskContexts(openScope, {
    perActivation: async ({ contextId }) => checked(await source.make(contextId)),
  });
}

function fromClass(option: Type<object>, modules: ModuleRef): ContextSource {
  const where = `context ${option.name}`;
  const provided = new Injection(modules, option, where, true);
  if (provided.isProvided)
    return {
      isRequestScoped: provided.isRequestScoped,
      make: (contextId) => provided.resolve(contextId),
    };
  // not a provider: it is built here, with what it asks for
  const parameters = parametersOf(option, modules, where);
  const properties = propertiesOf(option, modules, where);
  return {
    isRequestScoped:
      scopeOf(option) === Scope.REQUEST ||
      [...parameters, ...properties.values()].some(({ isRequestScoped }) => isRequestScoped),
    async make(contextId) {
      const custom = new option(...(await resolveAll(parameters, contextId))) as Record<
        string | symbol,
        unknown
      >;
      for (const [key, injection] of properties) {
        const value = await injection.resolve(contextId);
        if (value !== undefined) custom[key] = value;
      }
      return custom;
    },
  };
}

function fromFactory(
  { inject = [], useFactory }: Exclude<ContextOption, Type<object>>,
  modules: ModuleRef,
): ContextSource {
  const injections = inject.map((asked) => Injection.of(asked, modules, 'context.inject'));
  return {
    isRequestScoped: injections.some(({ isRequestScoped }) => isRequestScoped),
    make: async (contextId) => await useFactory(...(await resolveAll(injections, contextId))),
  };
}

function resolveAll(injections: Injection[], contextId?: ContextId): Promise<unknown[]> {
  return Promise.all(injections.map((injection) => injection.resolve(contextId)));
}

type Token = ConstructorParameters<typeof Injection>[1];

function parametersOf(option: Type<object>, modules: ModuleRef, where: string): Injection[] {
  const types = [...metadata<Token>(PARAMTYPES_METADATA, option)];
  const declared = metadata<{ index: number; param: Token }>(SELF_DECLARED_DEPS_METADATA, option);
  for (const { index, param } of declared) types[index] = param;
  if (types.length < option.length) {
    throw new InvalidOptionsError([
      `${where}: its constructor has parameters, but nothing tells of which types: decorate the class with @Injectable()`,
    ]);
  }
  const optional = metadata<number>(OPTIONAL_DEPS_METADATA, option);
  return types.map((token, i) => new Injection(modules, token, where, optional.includes(i)));
}

function propertiesOf(
  option: Type<object>,
  modules: ModuleRef,
  where: string,
): Map<string | symbol, Injection> {
  const optional = metadata<string>(OPTIONAL_PROPERTY_DEPS_METADATA, option);
  return new Map(
    injectedProperties(option).map(({ key, type }) => [
      key,
      new Injection(modules, type, where, optional.includes(key)),
    ]),
  );
}

function injectedProperties(option: Type<object>): { key: string; type: Token }[] {
  return metadata<{ key: string; type: Token }>(PROPERTY_DEPS_METADATA, option);
}

function metadata<T>(key: string, of: object): T[] {
  return (Reflect.getMetadata(key, of) ?? []) as T[];
}

function scopeOf(option: Type<object>): Scope | undefined {
  return (Reflect.getMetadata(SCOPE_OPTIONS_METADATA, option) as { scope?: Scope } | undefined)
    ?.scope;
}

function declaredMembers(option: Type<object>): (string | symbol)[] {
  return [
    ...membersOf(option.prototype as object),
    ...injectedProperties(option).map(({ key }) => key),
  ];
}

function checked(custom: unknown): object {
  if (typeof custom !== 'object' || custom === null)
    throw new InvalidOptionsError(['context: its useFactory must return an object']);
  refuse(membersOf(custom));
  return custom;
}

function refuse(members: (string | symbol)[]): void {
  const problems = memberProblems(members);
  if (problems.length > 0) throw new InvalidOptionsError(problems);
}
