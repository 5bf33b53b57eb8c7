import { Injectable } from '@nestjs/common';
import { Task, type TaskContext } from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { testApps } from '../support/test-app.js';

describe('ctx.signal', () => {
  const { start } = testApps();

  it('AbortSignal for cancellation', async () => {
    const gate = new Gate();
    const processed: number[] = [];
    const items = Array.from({ length: 1_000_000 }, (_, i) => i);
    const processItem = async (item: number) => {
      processed.push(item);
      void gate.pass();
      await new Promise((resolve) => setImmediate(resolve));
    };
    @Injectable()
    class Tasks {
      @Task('cancellable')
      async cancellable(_event: unknown, ctx: TaskContext) {
        for (const item of items) {
          if (ctx.signal.aborted) {
            throw new Error('Task was cancelled');
          }
          await processItem(item);
        }
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'cancellable' });
    await gate.reached;
    await expect(handle.cancel({ reason: 'enough' })).resolves.toBe('requested');
    await expect(handle.result({ timeout: '30s' })).rejects.toMatchObject({
      code: 'CONDUCTOR_EXECUTION_CANCELLED',
      reason: 'enough',
    });
    expect(processed.length).toBeLessThan(items.length);
  });
});
