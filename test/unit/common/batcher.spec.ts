import { Batcher } from '../../../lib/common/batcher.js';
import { Gate } from '../../support/gate.js';

/** Records the flushes, the first of which waits at a gate. */
function recording(
  options: {
    limit?: number;
    fail?: (items: number[]) => Error | undefined;
    weightLimit?: number;
  } = {},
) {
  const gate = new Gate();
  const flushes: number[][] = [];
  const batcher = new Batcher<number, string>(
    async (items) => {
      flushes.push(items);
      if (flushes.length === 1) await gate.pass();
      const error = options.fail?.(items);
      if (error) throw error;
      return items.map((item) => `reply ${item}`);
    },
    {
      limit: options.limit ?? 100,
      weightLimit: options.weightLimit,
      weigh: (item) => item,
      mayBeOneItem: (error) => (error as Error).message === 'one of them',
    },
  );
  return { batcher, flushes, gate };
}

describe('Batcher', () => {
  it('sends a lone item at once, and what comes meanwhile together in the next flush', async () => {
    const { batcher, flushes, gate } = recording();
    const first = batcher.add(1);
    await gate.reached;
    const rest = [batcher.add(2), batcher.add(3), batcher.add(4)];
    expect(flushes).toEqual([[1]]);
    gate.open();
    await expect(Promise.all([first, ...rest])).resolves.toEqual([
      'reply 1',
      'reply 2',
      'reply 3',
      'reply 4',
    ]);
    expect(flushes).toEqual([[1], [2, 3, 4]]);
  });

  it('sends together what is added in one burst', async () => {
    const { batcher, flushes, gate } = recording();
    gate.open();
    await Promise.all([1, 2, 3].map((item) => batcher.add(item)));
    expect(flushes).toEqual([[1, 2, 3]]);
  });

  it('keeps to its limits of count and weight, and lets a heavier item go alone', async () => {
    const { batcher, flushes, gate } = recording({ limit: 3, weightLimit: 10 });
    gate.open();
    await Promise.all([1, 1, 1, 1, 9, 50, 2].map((item) => batcher.add(item)));
    expect(flushes).toEqual([[1, 1, 1], [1, 9], [50], [2]]);
  });

  it('halves a batch until the item at fault stands alone, and fails only that one', async () => {
    const { batcher, gate } = recording({
      fail: (items) => (items.includes(3) ? new Error('one of them') : undefined),
    });
    gate.open();
    const replies = await Promise.allSettled([1, 2, 3, 4, 5].map((item) => batcher.add(item)));
    expect(replies.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(replies[4]).toMatchObject({ value: 'reply 5' });
  });

  it('fails all of a batch whose failure no single item can explain, and goes on with the next', async () => {
    const { batcher, gate } = recording({
      fail: (items) => (items.includes(1) ? new Error('the connection') : undefined),
    });
    gate.open();
    const replies = await Promise.allSettled([1, 2].map((item) => batcher.add(item)));
    expect(replies.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(batcher.add(2)).resolves.toBe('reply 2');
  });

  it('is idle when nothing waits and nothing is in flight', async () => {
    const { batcher, gate, flushes } = recording();
    await batcher.idle();
    void batcher.add(1);
    let idle = false;
    const waiting = batcher.idle().then(() => (idle = true));
    await gate.reached;
    expect(idle).toBe(false);
    void batcher.add(2);
    gate.open();
    await waiting;
    expect(flushes).toEqual([[1], [2]]);
  });
});
