import {
  Scope,
  type ForwardReference,
  type InjectionToken,
  type OptionalFactoryDependency,
} from '@nestjs/common';
import type { ContextId, ModuleRef } from '@nestjs/core';
import { InvalidOptionsError } from '../errors/options.error.js';

/** One thing that options ask for, as those of the custom context. It is taken from whichever module of the app provides it: the conductor's own module
 *  imports none of them. */
export class Injection {
  private readonly token: InjectionToken;
  private readonly scope?: Scope;

  /** @throws InvalidOptionsError if no module provides it, unless it is optional */
  constructor(
    private readonly modules: ModuleRef,
    token: InjectionToken | ForwardReference,
    where: string,
    optional = false,
  ) {
    this.token = isForwardReference(token) ? (token.forwardRef() as InjectionToken) : token;
    try {
      this.scope = modules.introspect(this.token as string).scope;
    } catch (error) {
      if (optional) return;
      throw new InvalidOptionsError([
        `${where}: ${shownToken(this.token)} is not a provider of any module of the app (${(error as Error).message})`,
      ]);
    }
  }

  /** As `inject` of a factory names it. @throws as the constructor */
  static of(
    asked: InjectionToken | OptionalFactoryDependency,
    modules: ModuleRef,
    where: string,
  ): Injection {
    const isOptional = typeof asked === 'object' && 'token' in asked;
    const [token, optional] = isOptional ? [asked.token, asked.optional] : [asked, false];
    return new Injection(modules, token, where, optional);
  }

  /** For messages. */
  get name(): string {
    return shownToken(this.token);
  }

  get isProvided(): boolean {
    return this.scope !== undefined;
  }

  get isRequestScoped(): boolean {
    return this.scope === Scope.REQUEST;
  }

  async resolve(contextId?: ContextId): Promise<unknown> {
    if (this.scope === undefined) return undefined;
    const anywhere = { strict: false };
    if (this.scope === Scope.DEFAULT) return this.modules.get(this.token as string, anywhere);
    return await this.modules.resolve(this.token as string, contextId, anywhere);
  }
}

function isForwardReference(token: unknown): token is ForwardReference {
  return typeof token === 'object' && token !== null && 'forwardRef' in token;
}

function shownToken(token: unknown): string {
  return typeof token === 'function' ? token.name : String(token);
}
