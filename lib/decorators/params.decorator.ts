import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { PARAM } from '../conductor.constants.js';
import type { BaseContext } from '../interfaces/task-context.js';
import type { InvokeEvent } from '../interfaces/invoke-event.js';

/** What Nest's own parameter decorators take beside their data: a pipe or, since Nest 12, options. */
type Pipe = Parameters<ReturnType<typeof createParamDecorator<never, never>>>[number];
type Arguments = [InvokeEvent, BaseContext];

const payload = marked('payload', (property: string | undefined, host) =>
  payloadOf(host.getArgs<Arguments>()[0], property),
);
const ctx = marked('ctx', (_data: undefined, host) => host.getArgs<Arguments>()[1]);
const executionId = marked(
  'executionId',
  (_data: undefined, host) => host.getArgs<Arguments>()[1].executionId,
);

/** What a parameter that is decorated with `@Payload(property)` gets. */
export function payloadOf(event: InvokeEvent, property?: string): unknown {
  if (property === undefined) return event.payload;
  return (event.payload as Record<string, unknown> | null | undefined)?.[property];
}

/**
 * The payload as a parameter of a task's handler, or one property of it, after its pipes. They see it as Nest's see a request's
 * body, so a `ValidationPipe` validates it. A handler of a contract says `params: 'decorated'` in the options of `@Task`.
 */
export function Payload(...pipes: Pipe[]): ParameterDecorator;
export function Payload(property: string, ...pipes: Pipe[]): ParameterDecorator;
export function Payload(...propertyAndPipes: (string | Pipe)[]): ParameterDecorator {
  return payload(...propertyAndPipes);
}

/** The TaskContext as a parameter of a task's handler; without decorators it is the second one. */
export function Ctx(...pipes: Pipe[]): ParameterDecorator {
  return ctx(...pipes);
}

/** The execution's id as a parameter of a task's handler. */
export function ExecutionId(...pipes: Pipe[]): ParameterDecorator {
  return executionId(...pipes);
}

function marked<Data>(
  param: string,
  factory: (data: Data, host: ExecutionContext) => unknown,
): (...dataOrPipes: (Data | Pipe)[]) => ParameterDecorator {
  return createParamDecorator<Data>(Object.assign(factory, { [PARAM]: param }));
}
