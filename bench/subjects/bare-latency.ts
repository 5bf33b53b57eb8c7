import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { v7 } from 'uuid';
import { Bare, CLAIM, ENQUEUE, SETTLE } from './bare.js';
import type { Handle, Job, Setting, Subject, SubjectOptions, Work } from './subject.js';

export const settings: Setting[] = [
  {
    name: 'a start in the process of the invoke',
    value: 'one commit, of an insert as claimed',
    why: 'less cannot be durable',
  },
  {
    name: 'a start in another process',
    value: 'two commits and one notification: an insert that notifies, then a claim',
    why: 'nobody else may start it, whatever crashes',
  },
];

const INSERT_AND_NOTIFY = `${ENQUEUE} returning pg_notify('bare', '')`;

const INSERT_AS_CLAIMED = `
with accepted as (
  insert into conductor.execution (id, task_id, priority, created_at, payload) values ($1, 1, 0, now(), $2))
insert into conductor.run (id, run_at, task_id, priority, status, token, worker_id, claims, started, started_at)
values ($1, now(), 1, 0, 1, $3, 1, 1, true, now())`;

/** What the machine itself needs from an invoke to the handler: the commits and the notification, and nothing else. */
class BareLatency extends Bare {
  private handle?: Handle;
  private listener?: pg.PoolClient;
  private readonly settling = new Set<Promise<unknown>>();

  override async invoke(_work: Work, job: Job): Promise<void> {
    const id = v7();
    if (this.handle === undefined) {
      const values = [[id], [JSON.stringify(job)]];
      await this.pool.query({ name: 'invoke', text: INSERT_AND_NOTIFY, values });
      return;
    }
    const values = [id, JSON.stringify(job), randomUUID()];
    await this.pool.query({ name: 'start', text: INSERT_AS_CLAIMED, values });
    this.handle(job);
    this.settle([id]);
  }

  override async start(handle: Handle): Promise<void> {
    this.handle = handle;
    this.listener = await this.pool.connect();
    this.listener.on('notification', () => void this.claim());
    await this.listener.query('listen bare');
    while (await this.claim());
  }

  override async stop(): Promise<void> {
    this.handle = undefined;
    await Promise.all(this.settling);
    this.listener?.release(true);
    this.listener = undefined;
  }

  /** @returns whether there was anything */
  private async claim(): Promise<boolean> {
    const { rows } = await this.pool.query<{ id: string; payload: string }>({
      name: 'claim',
      text: CLAIM,
      values: [randomUUID(), new Date(Date.now() + 1)], // it cuts off what Postgres's clock has beyond ms
    });
    for (const { payload } of rows) this.handle!(JSON.parse(payload) as Job);
    if (rows.length > 0) this.settle(rows.map(({ id }) => id));
    return rows.length > 0;
  }

  private settle(ids: string[]): void {
    const settled = this.pool
      .query({ name: 'settle', text: SETTLE, values: [ids] })
      .finally(() => this.settling.delete(settled));
    this.settling.add(settled);
  }
}

export const create = (options: SubjectOptions): Subject => new BareLatency(options);
