import type { ModuleRef } from '@nestjs/core';
import { checkInjected } from '../common/injected-option.js';
import { OptionReader } from '../common/option-reader.js';
import { shown } from '../common/shown.js';
import { InvalidOptionsError } from '../errors/options.error.js';
import type { Injected } from '../interfaces/injected.js';
import { Injection } from './injection.js';

/** Carries out what of a task's options is made by factories, all of it at once.
 *  @param problems where it notes what cannot be made; that is left out of the result
 *  @returns options of plain values, unchecked */
export async function plainOptions(
  given: unknown,
  modules: ModuleRef,
  problems: string[],
): Promise<unknown> {
  if (!isObject(given)) return given;
  const { inject, useFactory, ...beside } = given;
  const isWhole = inject !== undefined || useFactory !== undefined;
  const made = isWhole ? await make({ inject, useFactory }, '', modules, problems) : undefined;
  if (made !== undefined && !isObject(made))
    problems.push(`useFactory must return an object of options, and returned ${shown(made)}`);
  const options = { ...beside, ...(isObject(made) && made) };
  const entries = Object.entries(options).map(async ([name, value]) => [
    name,
    isInjected(value) ? await make(value, name, modules, problems) : value,
  ]);
  return Object.fromEntries(await Promise.all(entries)) as unknown;
}

/** @param where the option's name; empty: they are the options themselves */
async function make(
  option: Record<string, unknown>,
  where: string,
  modules: ModuleRef,
  problems: string[],
): Promise<unknown> {
  const reader = new OptionReader(option, where, []);
  reader.onlyKnown(['inject', 'useFactory']);
  checkInjected(reader, where === '' ? 'options' : `the value of ${where}`);
  if (reader.problems.length > 0) return void problems.push(...reader.problems);
  const { inject = [], useFactory } = option as unknown as Injected<unknown>;
  const found = problems.length;
  const injections = inject.flatMap((asked) => {
    const injection = injectionOf(asked, reader.at('inject'), modules, problems);
    return injection ?? [];
  });
  if (problems.length > found) return undefined;
  try {
    return await useFactory(...(await Promise.all(injections.map((one) => one.resolve()))));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return void problems.push(`${reader.at('useFactory')} threw: ${message}`);
  }
}

function injectionOf(
  asked: NonNullable<Injected<unknown>['inject']>[number],
  where: string,
  modules: ModuleRef,
  problems: string[],
): Injection | undefined {
  try {
    const injection = Injection.of(asked, modules, where);
    if (!injection.isRequestScoped) return injection;
    problems.push(
      `${where}: ${injection.name} is request-scoped, but a task's options are made once, at boot`,
    );
  } catch (error) {
    if (!(error instanceof InvalidOptionsError)) throw error;
    problems.push(...error.problems);
  }
  return undefined;
}

function isInjected(value: unknown): value is Record<string, unknown> {
  return isObject(value) && ('useFactory' in value || 'inject' in value);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
