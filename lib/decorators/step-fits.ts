/** What a `@Step` decorator asks of a method: a promise. */
// oxlint-disable-next-line typescript/no-explicit-any -- the top of all such methods; their own parameters stay
export type StepMethod = (...args: any[]) => Promise<unknown>;

/** `unknown`, which adds nothing to a descriptor's type, if a key made of the arguments A can be made of M's. The lists are
 *  compared by themselves: without strictFunctionTypes, functions of them are compared in both directions. A key may leave
 *  out the method's last arguments. */
export type KeyFits<M extends StepMethod, A extends unknown[]> = [A] extends [never]
  ? unknown
  : Parameters<M> extends [...A, ...unknown[]]
    ? unknown
    : { 'the key takes other arguments than the method': { expected: Parameters<M>; found: A } };
