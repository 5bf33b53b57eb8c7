import { setTimeout as pause } from 'node:timers/promises';
import type { Conductor } from '../../../lib/index.js';
import type { Load, Planned } from './load.js';

export interface Fed<P> {
  /** Acknowledged: only these are promises. */
  accepted: Planned<P>[];
  refused: string[];
}

/** Asks for each execution at its time, evenly over the whole span, without waiting for the answers in between. */
export async function feed<P>(
  conductor: Conductor,
  { task }: Load<P>,
  plan: Planned<P>[],
  spanMs: number,
): Promise<Fed<P>> {
  const accepted: Planned<P>[] = [];
  const refused: string[] = [];
  const began = performance.now();
  const invokes: Promise<void>[] = [];
  for (const [index, planned] of plan.entries()) {
    const early = began + (index / plan.length) * spanMs - performance.now();
    if (early > 0) await pause(early);
    invokes.push(
      conductor.invoke(task, planned.payload, { id: planned.id }).then(
        () => void accepted.push(planned),
        (error: unknown) => void refused.push(`${planned.id}: ${String(error)}`),
      ),
    );
  }
  await Promise.all(invokes);
  return { accepted, refused };
}
