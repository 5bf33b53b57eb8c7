import { Injectable } from '@nestjs/common';
import { Task, type TaskContext } from '../../lib/index.js';
import { testApps } from '../support/test-app.js';

const apps = testApps();

describe('a suspension that Postgres refuses', () => {
  it('fails its attempt, and not for ever again', async () => {
    @Injectable()
    class Tasks {
      @Task('refused', { retry: { maxAttempts: 2, backoff: () => 1 } })
      async refused(_event: unknown, ctx: TaskContext) {
        await ctx.sleep('unwanted', '1h');
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    await apps.database.query(
      `alter table conductor.step add constraint unwanted check (name <> 'unwanted')`,
    );
    const handle = await conductor.invoke({ name: 'refused' });
    await expect(handle.result({ timeout: '20s' })).rejects.toMatchObject({
      cause: { code: 'CONDUCTOR_DATABASE' },
    });
    await expect(handle.status()).resolves.toMatchObject({ status: 'failed', attempt: 2 });
  });
});
