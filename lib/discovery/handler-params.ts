import type { ExecutionContext } from '@nestjs/common';
import { CUSTOM_ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { PARAM } from '../conductor.constants.js';

type ParamFactory = ((data: unknown, host: ExecutionContext) => unknown) & { [PARAM]?: string };

/** What a parameter decorator left: by Nest's own conventions, since Nest makes pipes injectable and applies them by these. */
export interface ParamMetadata {
  index: number;
  factory?: ParamFactory;
  data?: unknown;
  pipes?: unknown[];
  schema?: unknown;
}

export type ParamsMetadata = Record<string, ParamMetadata>;

/** RouteParamtypes.BODY: how pipes are told that a value is the one to validate. */
const BODY = '3';

const ORDINALS = ['first', 'second', 'third', 'fourth', 'fifth'];

/** Everything that keeps a handler with decorated parameters from working.
 *  @param declared how many parameters the method declares
 *  @param decorated whether the options say `params: 'decorated'`
 *  @param injects whether Nest can inject a class of pipes into this handler */
export function paramProblems(
  params: ParamsMetadata,
  declared: number,
  { contract, decorated }: { contract: boolean; decorated: boolean },
  injects: (pipe: unknown) => boolean,
): string[] {
  const all = Object.entries(params);
  if (all.length === 0) {
    return decorated
      ? [
          "says params: 'decorated', but has no decorated parameter: add @Payload() (from nest-conductor) or leave the option out",
        ]
      : [];
  }
  const foreign = all.filter(([key]) => !isCustom(key));
  if (foreign.length > 0) {
    return foreign.map(
      ([, { index }]) =>
        `its ${ordinal(index)} parameter has a decorator of requests or messages (@Body, @Query, @Payload of @nestjs/microservices…), ` +
        'for which a task has no value: use @Payload, @Ctx and @ExecutionId of nest-conductor, or a decorator made by createParamDecorator',
    );
  }
  const problems: string[] = [];
  const at = (index: number) => all.filter(([, param]) => param.index === index);
  for (
    let index = 0;
    index < Math.max(declared, ...all.map(([, param]) => param.index + 1));
    index += 1
  ) {
    const count = at(index).length;
    if (count > 1)
      problems.push(`its ${ordinal(index)} parameter has ${count} decorators: leave one`);
    if (count === 0 && index > 1)
      problems.push(
        `its ${ordinal(index)} parameter has no decorator, and only the first two are given without one, the event and the context: ` +
          'decorate it, or give it a default',
      );
  }
  const [first] = at(0);
  const [second] = at(1);
  if (contract && !decorated && (first || (second && second[1].factory?.[PARAM] !== 'ctx'))) {
    problems.push(
      `its ${ordinal(first ? 0 : 1)} parameter is decorated, so it does not get what the compiler has checked it for, ` +
        `${first ? 'the event' : 'the context'}: say params: 'decorated' in the options of @Task`,
    );
  }
  for (const [, { index, pipes = [] }] of all) {
    for (const pipe of pipes) {
      if (typeof pipe !== 'function' || injects(pipe)) continue;
      problems.push(
        `the pipe ${pipe.name} of its ${ordinal(index)} parameter cannot be injected, since Nest has not made the handler from its class: ` +
          `give it an instance, new ${pipe.name}()`,
      );
    }
  }
  return problems;
}

/** Describes the parameters of a handler for Nest; undecorated ones stay event and context. */
export function completed(params: ParamsMetadata): ParamsMetadata {
  const all: ParamsMetadata = {};
  for (const index of [0, 1]) {
    if (Object.values(params).some((param) => param.index === index)) continue;
    const factory = (_data: unknown, host: ExecutionContext) => host.getArgByIndex<unknown>(index);
    all[`conductor${CUSTOM_ROUTE_ARGS_METADATA}:${index}`] = { index, factory };
  }
  for (const [key, param] of Object.entries(params))
    all[param.factory?.[PARAM] === 'payload' ? `${BODY}:${param.index}` : key] = param;
  return all;
}

function isCustom(key: string): boolean {
  return key.includes(CUSTOM_ROUTE_ARGS_METADATA);
}

function ordinal(index: number): string {
  return ORDINALS[index] ?? `${index + 1}th`;
}
