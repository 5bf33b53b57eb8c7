import { ModuleRef } from '@nestjs/core';
import { InvalidOptionsError } from '../errors/options.error.js';
import type { ContextOption } from '../interfaces/module-options.js';
import {
  ActivationContext,
  builtInMembers,
  contextClassWith,
  membersOf,
  type ContextClass,
} from '../worker/task-context.js';

/** Makes the class of all handlers' contexts, with the members of the app's own one.
 *  @throws InvalidOptionsError when it cannot be built, or a member has the name of a built-in one. */
export async function contextClass(
  option: ContextOption | undefined,
  modules: ModuleRef,
): Promise<ContextClass> {
  if (option === undefined) return ActivationContext;
  const custom = await instance(option, modules);
  if (typeof custom !== 'object' || custom === null) {
    throw new InvalidOptionsError(['context: its useFactory must return an object']);
  }
  const taken = new Set(builtInMembers());
  const clashes = membersOf(custom).filter((name) => taken.has(name));
  if (clashes.length > 0) {
    throw new InvalidOptionsError(
      clashes.map(
        (name) =>
          `context: "${name}" is a built-in member of every task context; give yours another name`,
      ),
    );
  }
  return contextClassWith(custom);
}

async function instance(option: ContextOption, modules: ModuleRef): Promise<unknown> {
  if (typeof option !== 'function') {
    const { inject = [], useFactory } = option;
    return await useFactory(...inject.map((token) => find(token, modules, 'context.inject')));
  }
  const provided = provider(option, modules);
  if (provided !== undefined) return provided;
  const types = (Reflect.getMetadata('design:paramtypes', option) ?? []) as unknown[];
  const named = (Reflect.getMetadata('self:paramtypes', option) ?? []) as {
    index: number;
    param: unknown;
  }[];
  for (const { index, param } of named) types[index] = param;
  return new option(...types.map((token) => find(token, modules, `context ${option.name}`)));
}

function provider(token: unknown, modules: ModuleRef): unknown {
  try {
    return modules.get<unknown>(token as string, { strict: false });
  } catch {
    return undefined; // not a provider: it is built here, with what it asks for
  }
}

function find(token: unknown, modules: ModuleRef, where: string): unknown {
  try {
    return modules.get<unknown>(token as string, { strict: false });
  } catch (error) {
    const name = typeof token === 'function' ? token.name : String(token);
    throw new InvalidOptionsError([
      `${where}: ${name} is not a provider of any module of the app (${(error as Error).message})`,
    ]);
  }
}
