const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** Keys from a value's root inwards, as code would write them: `items[3].name`, `prices["a b"]`; `''` for the root. */
export function renderPath(keys: Iterable<PropertyKey>): string {
  let rendered = '';
  for (const key of keys) {
    if (typeof key === 'string' && IDENTIFIER.test(key))
      rendered += rendered === '' ? key : `.${key}`;
    else rendered += `[${typeof key === 'string' ? JSON.stringify(key) : String(key)}]`;
  }
  return rendered;
}
