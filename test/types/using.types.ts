// Checked by `npm run typecheck`, and by types.spec.ts without strict: each line marked with @ts-expect-error has to be an
// error, every other none. What the mark quotes, the message has to say.
import type { DataSource } from 'typeorm';
import type { Conductor } from '../../lib/client/conductor.js';
import type { UncommittedExecution } from '../../lib/client/uncommitted-execution.js';
import { defineTask } from '../../lib/contracts/define-task.js';
import { type } from '../../lib/contracts/schema.js';

const ship = defineTask({ name: 'orders.ship', payload: type<{ orderId: string }>() });
const sweep = defineTask({ name: 'sweep', payload: type<void>() });

export async function use(conductor: Conductor, source: DataSource): Promise<string> {
  const { id } = await source.transaction(async (em) => {
    const tied = conductor.using(em);
    const one: UncommittedExecution = await tied.invoke(ship, { orderId: '1' }, { delay: '1m' });
    const outcome: 'created' | 'existing' = one.outcome;
    await tied.invoke(sweep);
    await tied.invoke({ name: 'loose' }, { any: outcome });
    const [first] = await tied.invokeMany(ship, [{ payload: { orderId: '1' }, priority: 2 }]);

    // @ts-expect-error -- "'result' does not exist"
    await one.result();
    // @ts-expect-error -- "'wait' does not exist"
    await first.wait();
    // @ts-expect-error -- "'status' does not exist"
    await first.status();
    // @ts-expect-error -- the payload of another task
    await tied.invoke(ship, { orderId: 1 });
    // @ts-expect-error -- without a payload
    await tied.invoke(ship);
    // @ts-expect-error -- the payload of another task
    await tied.invokeMany(ship, [{ payload: { order: '1' } }]);
    // @ts-expect-error -- "'invokeAndWait' does not exist"
    await tied.invokeAndWait(ship, { orderId: '1' });
    return one;
  });
  // @ts-expect-error -- the DataSource is in no transaction
  conductor.using(source);
  // @ts-expect-error -- nor is a runner an EntityManager
  conductor.using(source.createQueryRunner());
  const { status } = await conductor.handle(id).wait({ timeout: '1m' });
  return status;
}
