import type { InjectionToken, OptionalFactoryDependency } from '@nestjs/common';

/** A value that is made of providers. They may be those of any module of the app. */
export interface Injected<T> {
  inject?: (InjectionToken | OptionalFactoryDependency)[];
  // oxlint-disable-next-line typescript/no-explicit-any -- its parameters are what `inject` names
  useFactory: (...args: any[]) => T | Promise<T>;
}
