import { Injectable } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { EventSubscriber, type EntityManager, type EntitySubscriberInterface } from 'typeorm';
import {
  InvalidStepError,
  Step,
  StepTimeoutError,
  Task,
  Tx,
  type TaskContext,
} from '../../lib/index.js';
import { openTransactions } from '../support/open-transactions.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

const apps = testApps();
const pay = (em: EntityManager, orderId: string) =>
  em.query('insert into payment ("orderId") values ($1)', [orderId]);
const invalid = new InvalidStepError('s', []).code;

async function run(
  body: (em: EntityManager, bodies: number) => unknown,
  { timeout, subscribers }: { timeout?: number; subscribers?: (new () => object)[] } = {},
) {
  await apps.database.query('create table payment (id serial primary key, "orderId" text)');
  let bodies = 0;
  @Injectable()
  class Tasks {
    @Task('pay', { retry: { maxAttempts: 1 } })
    async pay(_event: unknown, ctx: TaskContext) {
      return await ctx.transaction('pay', (em) => body(em, (bodies += 1)), { timeout });
    }
  }
  const { conductor } = await apps.start({
    providers: [Tasks],
    modules: [
      TypeOrmModule.forRoot({
        type: 'postgres',
        url: apps.database.url,
        subscribers,
        extra: { idleTimeoutMillis: 0 },
      }),
    ],
    // neither Postgres nor the pool shall tidy up for us
    transactions: { dataSource: 'default', idleTimeout: '1h' },
  });
  const error = await conductor.invokeAndWait({ name: 'pay' }, 0, { timeout: '10s' }).then(
    () => undefined,
    ({ cause }: { cause: { code?: string; message: string } }) => cause,
  );
  // no connection is left in a transaction, in the pool or out of it
  await until(async () => (await openTransactions(apps.database)) === 0);
  const rows = await apps.database.query<{ orderId: string }>('select "orderId" from payment');
  return { bodies, error, paid: rows.map(({ orderId }) => orderId) };
}

describe('a transactional step whose body misbehaves', () => {
  it('S7 fails when a transaction within its own is still open at its end: nothing was committed', async () => {
    const { error, paid } = await run(async (em) => {
      await em.queryRunner!.startTransaction();
      await pay(em, 'lost');
    });
    expect(error).toMatchObject({
      code: invalid,
      message: expect.stringContaining('await every em.transaction'),
    });
    expect(paid).toEqual([]);
  });

  it('S7 takes back all of it when it fails in a transaction within its own', async () => {
    const { error, paid } = await run(async (em) => {
      await pay(em, 'a');
      await em.queryRunner!.startTransaction();
      throw new Error('mine');
    });
    expect(error).toMatchObject({ message: 'mine' });
    expect(paid).toEqual([]);
  });

  it('S7 writes nothing outside its transaction, when a branch goes on after another has failed', async () => {
    let over = false;
    const { error, paid } = await run(async (em) => {
      const writing = async () => {
        while (!over) await pay(em, 'a');
      };
      const branch = writing().finally(() => (over = true));
      await pay(em, 'b');
      await Promise.race([branch, Promise.reject(new Error('branch'))]);
    });
    await until(() => over);
    expect(error).toMatchObject({ message: 'branch' });
    expect(paid).toEqual([]);
  });

  it('S7 writes nothing outside its transaction, when it goes on after its time is over', async () => {
    let over = false;
    const { error, paid } = await run(
      async (em) => {
        try {
          for (;;) await pay(em, 'a');
        } finally {
          over = true;
        }
      },
      { timeout: 200 },
    );
    await until(() => over);
    expect(error).toMatchObject({ code: new StepTimeoutError('s', 1).code });
    expect(paid).toEqual([]);
  });

  it.each(['commitTransaction', 'release'] as const)(
    'S7 fails, and is not begun again and again, when it calls %s itself',
    async (end) => {
      const { error, bodies } = await run(async (em) => {
        await pay(em, 'a');
        await em.queryRunner![end]();
      });
      expect(error).toMatchObject({ code: invalid });
      expect(bodies).toBe(1);
    },
  );

  it('S7 fails with its own error when it has rolled back itself', async () => {
    const { error, bodies } = await run(async (em) => {
      await em.queryRunner!.rollbackTransaction();
      throw new Error('mine');
    });
    expect(error).toMatchObject({ message: 'mine' });
    expect(bodies).toBe(1);
  });
});

describe("a subscriber of the app's that throws", () => {
  function throwing(hook: string) {
    let armed = false;
    @EventSubscriber()
    class Subscriber implements EntitySubscriberInterface {
      constructor() {
        Object.assign(this, {
          [hook]: () => {
            if (armed) throw new Error('subscriber');
          },
        });
      }
    }
    return { subscribers: [Subscriber], arm: () => (armed = true) };
  }

  it('S7 after the commit changes nothing', async () => {
    const { subscribers, arm } = throwing('afterTransactionCommit');
    const seen = await run(
      async (em) => {
        arm();
        await pay(em, 'a');
      },
      { subscribers },
    );
    expect(seen).toEqual({ bodies: 1, error: undefined, paid: ['a'] });
  });

  it.each(['beforeTransactionRollback', 'afterTransactionRollback'])(
    'S7 at %s does not have the body begun again and again',
    async (hook) => {
      const { subscribers, arm } = throwing(hook);
      const { error, bodies, paid } = await run(
        async (em) => {
          arm();
          await pay(em, 'a');
          throw new Error('mine');
        },
        { subscribers },
      );
      expect(error).toMatchObject({ message: 'mine' });
      expect(bodies).toBe(1);
      expect(paid).toEqual([]);
    },
  );
});

it('an override without @Tx of a method with @Tx is no stray', async () => {
  class Base {
    @Step({ transactional: true })
    async paid(@Tx() _em?: EntityManager) {}
  }
  @Injectable()
  class Fake extends Base {
    override async paid() {}
  }
  await expect(apps.start({ providers: [Fake] })).resolves.toBeDefined();
});
