import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Injectable } from '@nestjs/common';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type as ark } from 'arktype';
import { Type } from 'class-transformer';
import { IsArray, IsInt, IsOptional, IsString, Min, ValidateNested } from 'class-validator';
import * as v from 'valibot';
import { z } from 'zod';
import {
  defineTask,
  InvalidTaskError,
  PayloadInvalidError,
  Task,
  type TaskContext,
  type TaskEvent,
} from '../../lib/index.js';
import { testApps } from '../support/test-app.js';

const WAIT = { timeout: '20s' } as const;
const AT_ONCE = { type: 'fixed', delay: 1 } as const;

/** As seen by clients of another version. */
const named = ({ name }: { name: string }) => ({ name });

describe('a contract of DTO classes', () => {
  const apps = testApps('all');

  class Line {
    @IsString()
    sku!: string;

    @IsInt()
    @Min(1)
    count!: number;

    @IsInt()
    cents!: number;

    total() {
      return this.count * this.cents;
    }
  }

  let made = 0;

  class Order {
    @IsString()
    id!: string;

    @IsArray()
    @ValidateNested({ each: true })
    @Type(() => Line)
    lines!: Line[];

    @IsOptional()
    @IsString()
    note?: string;

    /** Another one each time that it is made. */
    @IsInt()
    serial?: number = (made += 1);

    total() {
      return this.lines.reduce((sum, line) => sum + line.total(), 0);
    }
  }

  class Receipt {
    @IsString()
    orderId!: string;

    @IsInt()
    cents!: number;

    shown() {
      return `${this.cents} ct`;
    }
  }

  const charge = defineTask({ name: 'dto.charge', payload: Order, returns: Receipt });
  const replayed = defineTask({ name: 'dto.replayed', payload: Order });
  const wrong = defineTask({ name: 'dto.wrong', returns: Receipt });

  const calls: string[] = [];

  @Injectable()
  class Tasks {
    @Task(charge)
    charge({ payload: order }: TaskEvent<typeof charge>) {
      calls.push(order.id);
      const receipt = new Receipt();
      return Object.assign(receipt, { orderId: order.id, cents: order.total() });
    }

    @Task(replayed, { retry: { maxAttempts: 2, backoff: AT_ONCE } })
    async replayed({ payload: order }: TaskEvent<typeof replayed>, ctx: TaskContext) {
      const seen = {
        serial: order.serial,
        total: order.total(),
        isOrder: order instanceof Order,
        isLine: order.lines[0] instanceof Line,
      };
      const first = await ctx.step('first', () => seen);
      if (ctx.attempt === 1) throw new Error('once more');
      return { first, again: seen };
    }

    @Task(wrong, { retry: { maxAttempts: 1 } })
    wrong() {
      return { orderId: 'a', cents: 'many' } as never;
    }
  }

  const line = { sku: 'x', count: 2, cents: 50 };

  it('callers pass data and receive data, the handler gets an instance', async () => {
    const { conductor } = await apps.start({ providers: [Tasks] });
    const payload = { id: 'data', lines: [line, line], serial: 1 };
    const { id } = await conductor.invoke(charge, payload);
    await expect(conductor.handle(id).result(WAIT)).resolves.toStrictEqual({
      orderId: 'data',
      cents: 200,
    });
    // what is stored is what was passed
    expect((await conductor.get(id))!.payload).toStrictEqual(payload);
  });

  it('callers may pass an instance, such as what a controller was called with', async () => {
    const { conductor } = await apps.start({ providers: [Tasks] });
    const order = Object.assign(new Order(), {
      id: 'instance',
      lines: [Object.assign(new Line(), line)],
    });
    const { id } = await conductor.invoke(charge, order);
    await expect(conductor.handle(id).result(WAIT)).resolves.toMatchObject({ cents: 100 });
    expect((await conductor.get(id))!.payload).toStrictEqual({
      id: 'instance',
      lines: [line],
      serial: order.serial,
    });
  });

  it('X8 a payload that does not fit is refused with every problem and its path, and nothing is written', async () => {
    const { conductor } = await apps.start({ role: 'client' });
    const before = await conductor.list();
    const bad = { id: 7, lines: [line, { sku: 1, count: 0, cents: 1 }] } as never;
    for (const refused of [
      conductor.invoke(charge, bad),
      conductor.invokeAndWait(charge, bad),
      conductor.invokeMany(charge, [{ payload: { id: 'fine', lines: [] } }, { payload: bad }]),
    ]) {
      const error = await refused.catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(PayloadInvalidError);
      expect((error as PayloadInvalidError).issues.map(({ path }) => path)).toEqual([
        'id',
        'lines[1].sku',
        'lines[1].count',
      ]);
    }
    expect(await conductor.list()).toEqual(before);
  });

  it('X8 a payload that no longer fits fails before the handler, with the same error class, and is not tried again', async () => {
    const { conductor } = await apps.start({ providers: [Tasks] });
    const { id } = await conductor.invoke(named(charge), { id: 'old', lines: [{ sku: 1 }] });
    const failed = conductor.handle(id).result(WAIT);
    await expect(failed).rejects.toMatchObject({
      cause: {
        name: 'PayloadInvalidError',
        code: 'CONDUCTOR_PAYLOAD_INVALID',
        message: expect.stringContaining('lines[0].sku: sku must be a string'),
      },
    });
    expect(calls).not.toContain('old');
    expect(await conductor.get(id)).toMatchObject({ status: 'failed', attempt: 1 });
  });

  it('a replay gets an instance with the values of the first attempt, defaults included', async () => {
    const { conductor } = await apps.start({ providers: [Tasks] });
    const before = made;
    const result = await conductor.invokeAndWait(replayed, { id: 'again', lines: [line] }, WAIT);
    const seen = { serial: before + 2, total: 100, isOrder: true, isLine: true }; // one more was made to check it
    expect(result).toEqual({ first: seen, again: seen });
  });

  it('a result that does not fit fails the attempt, with its path', async () => {
    const { conductor } = await apps.start({ providers: [Tasks] });
    await expect(conductor.invokeAndWait(wrong, undefined, WAIT)).rejects.toMatchObject({
      cause: {
        code: 'CONDUCTOR_RESULT_INVALID',
        message: expect.stringContaining('cents: cents must be an integer number'),
      },
    });
  });

  it('a class without rules fails the boot, naming the handler, and an invoke, naming the contract', async () => {
    class Plain {
      id!: string;
    }
    const plain = defineTask({ name: 'dto.plain', payload: Plain });
    @Injectable()
    class Careless {
      @Task(plain)
      careless() {}
    }
    const boot = apps.start({ providers: [Careless] });
    await expect(boot).rejects.toBeInstanceOf(InvalidTaskError);
    await expect(boot).rejects.toThrow(/Careless\.careless[^]*Plain.*class-validator/);
    const { conductor } = await apps.start({ role: 'client' });
    const invoke = conductor.invoke(plain, { id: 'a' });
    await expect(invoke).rejects.toBeInstanceOf(InvalidTaskError);
    await expect(invoke).rejects.toThrow('defineTask("dto.plain")');
  });
});

describe('a contract of any Standard Schema', () => {
  const apps = testApps('all');

  let drawn = 0;
  const draw = () => (drawn += 1);
  const text = (at: Date) => at.toISOString();
  const isKnown = async (sku: string) => sku.startsWith('s');

  /** The same contract three times: a text becomes a Date, a number is drawn where none is passed. */
  const libraries = {
    zod: {
      payload: z.object({
        at: z.string().transform((at) => new Date(at)),
        items: z.array(z.object({ sku: z.string().refine(isKnown, 'is not known') })),
        serial: z.number().default(draw),
      }),
      returns: z.date().transform(text),
    },
    valibot: {
      payload: v.objectAsync({
        at: v.pipe(
          v.string(),
          v.transform((at) => new Date(at)),
        ),
        items: v.arrayAsync(
          v.objectAsync({ sku: v.pipeAsync(v.string(), v.checkAsync(isKnown, 'is not known')) }),
        ),
        serial: v.optional(v.number(), draw),
      }),
      returns: v.pipe(v.date(), v.transform(text)),
    },
    arktype: {
      payload: ark({
        at: ark('string').pipe((at) => new Date(at)),
        // it knows no asynchronous checks
        items: ark({ sku: /^s/ }).array(),
        serial: ark('number').default(draw),
      }),
      returns: ark('Date').pipe(text),
    },
  };

  it.each(Object.entries(libraries))(
    'of %s: checked when invoked, parsed when it starts, the same in every attempt',
    async (library, { payload, returns }) => {
      // the three have one shape, and types of their own
      type Shape = StandardSchemaV1<
        { at: string; items: { sku: string }[]; serial?: number },
        { at: Date; items: { sku: string }[]; serial: number }
      >;
      const contract = defineTask({
        name: `schema.${library}`,
        payload: payload as Shape,
        returns: returns as StandardSchemaV1<Date, string>,
      });
      const seen: unknown[] = [];
      @Injectable()
      class Tasks {
        @Task(contract, { retry: { maxAttempts: 2, backoff: AT_ONCE } })
        async run(event: TaskEvent<typeof contract>, ctx: TaskContext) {
          seen.push(event.payload);
          await ctx.step('write', () => 1);
          if (ctx.attempt === 1) throw new Error('once more');
          return event.payload.at;
        }
      }
      const { conductor } = await apps.start({ providers: [Tasks] });

      const bad = { at: 5, items: [{ sku: 's1' }, { sku: 'x' }] } as never;
      const refused = await conductor.invoke(contract, bad).catch((error: unknown) => error);
      expect(refused).toBeInstanceOf(PayloadInvalidError);
      expect((refused as PayloadInvalidError).issues.map(({ path }) => path).toSorted()).toEqual([
        'at',
        'items[1].sku',
      ]);

      const input = { at: '2026-11-24T00:00:00.000Z', items: [{ sku: 's1' }] };
      const drawnBefore = drawn;
      const { id } = await conductor.invoke(contract, input);
      await expect(conductor.handle(id).result(WAIT)).resolves.toBe(input.at);
      expect((await conductor.get(id))!.payload).toEqual(input);
      // one was drawn to check it when it was invoked; it may have started before the invoke resolved
      const parsed = { at: new Date(input.at), items: input.items, serial: drawnBefore + 2 };
      expect(seen).toEqual([parsed, parsed]);
    },
  );

  it('may give the handler what cannot be stored: it is made again from the payload', async () => {
    class Money {
      constructor(readonly cents: number) {}
      shown() {
        return `${this.cents} ct`;
      }
    }
    const contract = defineTask({
      name: 'schema.unstorable',
      payload: v.pipe(
        v.number(),
        v.transform((cents) => ({ money: new Money(cents), twice: () => cents * 2 })),
      ),
    });
    @Injectable()
    class Tasks {
      @Task(contract, { retry: { maxAttempts: 2, backoff: AT_ONCE } })
      async run({ payload: { money, twice } }: TaskEvent<typeof contract>, ctx: TaskContext) {
        await ctx.step('write', () => 1);
        if (ctx.attempt === 1) throw new Error('once more');
        return [money.shown(), twice()];
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    await expect(conductor.invokeAndWait(contract, 21, WAIT)).resolves.toEqual(['21 ct', 42]);
  });

  it('may not make a result of what cannot be stored: the attempt fails, with the path', async () => {
    const contract = defineTask({
      name: 'schema.result',
      returns: ark('number').pipe((n) => ({ deep: [() => n] })),
    });
    @Injectable()
    class Tasks {
      @Task(contract, { retry: { maxAttempts: 1 } })
      run() {
        return 1;
      }
    }
    const { conductor } = await apps.start({ providers: [Tasks] });
    await expect(conductor.invokeAndWait(contract, undefined, WAIT)).rejects.toMatchObject({
      cause: {
        code: 'CONDUCTOR_SERIALIZATION',
        message: expect.stringContaining('deep[0] is a function'),
      },
    });
  });
});

describe('an app without class-validator and class-transformer', () => {
  const root = fileURLToPath(new URL('../..', import.meta.url));

  it.each([['class-validator'], ['class-transformer']])(
    'is told that a DTO needs %s, and needs it for nothing else',
    async (missing) => {
      const { stdout } = await promisify(execFile)(
        process.execPath,
        [
          '--import',
          '@swc-node/register/esm-register',
          'test/fixtures/without-package.ts',
          missing,
        ],
        { cwd: root, env: { ...process.env, NODE_OPTIONS: '' } },
      );
      expect(JSON.parse(stdout)).toEqual({
        zod: 'passed',
        boot: 'CONDUCTOR_MISSING_PACKAGE',
        invoke: 'CONDUCTOR_MISSING_PACKAGE',
        message: expect.stringMatching(
          new RegExp(`^defineTask\\("dto"\\).*Dto.*${missing}.*npm install`),
        ),
      });
    },
  );
});
