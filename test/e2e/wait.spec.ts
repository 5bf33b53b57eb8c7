import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import {
  InvalidInvokeError,
  ResultTimeoutError,
  Task,
  UnknownExecutionError,
} from '../../lib/index.js';
import { Gate } from '../support/gate.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

const apps = testApps('all');
const gate = new Gate();

@Injectable()
class Tasks {
  @Task('ends')
  async ends() {
    return 7n;
  }
  @Task('fails', { retry: { maxAttempts: 1 } })
  async fails() {
    throw Object.assign(new Error('mine'), { code: 'MINE' });
  }
  @Task('forgotten', { retention: { completed: 0 } })
  async forgotten() {
    return 1;
  }
  @Task('held')
  async held() {
    await gate.pass();
  }
}

describe('wait', () => {
  it('resolves with how it ended, whichever way, and does not throw for that', async () => {
    const { conductor } = await apps.start({ providers: [Tasks] });
    const of = async (name: string) =>
      await (await conductor.invoke({ name })).wait({ timeout: '20s' });
    const completed = await of('ends');
    expect(completed).toMatchObject({ task: 'ends', status: 'completed', result: 7n, attempt: 1 });
    expect(completed.finishedAt).toBeInstanceOf(Date);
    await expect(of('fails')).resolves.toMatchObject({
      status: 'failed',
      error: { message: 'mine', code: 'MINE' },
    });
    const late = await conductor.invoke({ name: 'held' }, 0, { delay: '1h', expireAfter: 1 });
    await apps.database.query(
      `update conductor.run set run_at = now() - interval '1 hour', expires_at = now() - interval '1 minute' where id = $1`,
      [late.id],
    );
    await expect(late.wait({ timeout: '20s' })).resolves.toMatchObject({
      status: 'failed',
      error: { code: 'CONDUCTOR_EXPIRED' },
    });
  });

  it('B3 resolves without what retention has removed, and says so', async () => {
    const { conductor } = await apps.start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'forgotten' }, 'payload');
    await handle.wait({ timeout: '20s' });
    await apps.database.query(
      `update conductor.outcome set finished_at = finished_at - interval '1 minute'`,
    );
    await until(async () => (await handle.status()).pruned);
    const view = await handle.wait();
    expect(view).toMatchObject({ status: 'completed', pruned: true, payload: undefined });
  });

  it('throws when it has not ended in time, does not exist, or the time is none', async () => {
    const { conductor } = await apps.start({ providers: [Tasks] });
    const handle = await conductor.invoke({ name: 'held' });
    await gate.reached;
    await expect(handle.wait({ timeout: 20 })).rejects.toThrow(ResultTimeoutError);
    await expect(handle.wait({ timeout: 'soon' as '1s' })).rejects.toThrow(InvalidInvokeError);
    await expect(conductor.handle(randomUUID()).wait()).rejects.toThrow(UnknownExecutionError);
    gate.open();
    await expect(handle.wait({ timeout: '20s' })).resolves.toMatchObject({ status: 'completed' });
  });
});
