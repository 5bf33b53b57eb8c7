import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { until } from './until.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Waits until all of these are garbage. */
export async function collected(refs: WeakRef<object>[]): Promise<void> {
  await until(() => {
    collect();
    return refs.every((ref) => ref.deref() === undefined);
  });
}
