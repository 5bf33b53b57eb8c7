import { TX_METADATA } from '../conductor.constants.js';
import { InvalidTaskError } from '../errors/invalid-task.error.js';
import { methodSource } from './method-source.js';

/**
 * The EntityManager of the transaction that a `@Step({ transactional: true })` method runs in: what it writes through it is
 * committed together with the step's record, or not at all. Also in a plain `@Step` that is called from the body of a transactional
 * one. Undefined, or what the caller passed, where no such transaction is open.
 *
 * @throws InvalidTaskError at decoration, on a static method's or a constructor's parameter
 */
export function Tx(): ParameterDecorator {
  return (target, method, index) => {
    if (method === undefined || typeof target === 'function') {
      throw new InvalidTaskError(methodSource(target, method ?? 'constructor'), [
        '@Tx stands on a parameter that no step has: put it on a parameter of a @Step method',
      ]);
    }
    const others = transactionParameters(target, method);
    Reflect.defineMetadata(TX_METADATA, [...others, index], target, method);
  };
}

/** Indexes of the method's parameters that `@Tx` stands on. */
export function transactionParameters(target: object, method: string | symbol): number[] {
  return (Reflect.getOwnMetadata(TX_METADATA, target, method) ?? []) as number[];
}
