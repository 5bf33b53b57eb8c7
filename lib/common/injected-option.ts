import type { OptionReader } from './option-reader.js';
import { shown } from './shown.js';

/** Notes what is wrong with `{ inject?, useFactory }`.
 *  @param makes what the factory returns, for messages */
export function checkInjected(option: OptionReader, makes: string): void {
  const { inject = [], useFactory } = option.given;
  if (typeof useFactory !== 'function')
    option.fail(
      'useFactory',
      `must be a function that returns ${makes}, and is ${shown(useFactory)}`,
    );
  if (!Array.isArray(inject))
    option.fail('inject', `must be an array of injection tokens, and is ${shown(inject)}`);
  else if (inject.includes(undefined))
    option.fail(
      'inject',
      `has nothing at index ${inject.indexOf(undefined)}; two files that import each other do that`,
    );
}
