import { Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import {
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
  ROUTE_ARGS_METADATA,
} from '@nestjs/common/constants.js';
import { STEP_METADATA, TASK_METADATA, TX_METADATA } from '../conductor.constants.js';
import type { StepMetadata } from '../decorators/step.decorator.js';
import type { TaskMetadata } from '../decorators/task.decorator.js';

import type { ParamMetadata } from './handler-params.js';

type Method = (...args: unknown[]) => unknown;

const enhancers: [key: string, decorator: string][] = [
  [GUARDS_METADATA, '@UseGuards'],
  [INTERCEPTORS_METADATA, '@UseInterceptors'],
  [EXCEPTION_FILTERS_METADATA, '@UseFilters'],
];

/** Reads what the decorators left on a method. */
@Injectable()
export class TaskMetadataAccessor {
  constructor(private readonly reflector: Reflector) {}

  task(method: Method): TaskMetadata | undefined {
    return this.reflector.get<TaskMetadata | undefined>(TASK_METADATA, method);
  }

  step(method: Method): StepMetadata | undefined {
    return this.reflector.get<StepMetadata | undefined>(STEP_METADATA, method);
  }

  /** Of the method itself, and not of one that it overrides. */
  hasTransactionParameter(prototype: object, method: string): boolean {
    let declaring: object | null = prototype;
    while (declaring !== null && !Object.hasOwn(declaring, method))
      declaring = Object.getPrototypeOf(declaring) as object | null;
    return declaring !== null && Reflect.hasOwnMetadata(TX_METADATA, declaring, method);
  }

  /** Names of the decorators that have put guards, interceptors or filters on a method, or on a class or what it extends. */
  enhancers(target: object): string[] {
    return enhancers
      .filter(([key]) => Reflect.hasMetadata(key, target))
      .map(([, decorator]) => decorator);
  }

  /** What parameter decorators left, by the keys that Nest's `createParamDecorator` gave them. */
  params(declaring: object, method: string): Record<string, ParamMetadata> {
    return (Reflect.getMetadata(ROUTE_ARGS_METADATA, declaring, method) ?? {}) as Record<
      string,
      ParamMetadata
    >;
  }
}
