import { z } from 'zod';
import { defineTask, isTaskContract } from '../../../lib/contracts/define-task.js';
import { isDtoSchema } from '../../../lib/contracts/dto-schema.js';
import { type } from '../../../lib/contracts/schema.js';
import { InvalidTaskError } from '../../../lib/errors/invalid-task.error.js';

function problemsOf(options: unknown): readonly string[] {
  try {
    defineTask(options as { name: string });
    return [];
  } catch (error) {
    if (error instanceof InvalidTaskError) return error.problems;
    throw error;
  }
}

describe('defineTask', () => {
  it('gives a frozen contract with its name, its queue and its schemas', () => {
    const payload = z.object({ id: z.string() });
    const returns = z.number();
    const contract = defineTask({ name: 'orders.charge', queue: 'payments', payload, returns });
    expect(contract).toMatchObject({ name: 'orders.charge', queue: 'payments' });
    expect(contract.payload).toBe(payload);
    expect(contract.returns).toBe(returns);
    expect(Object.isFrozen(contract)).toBe(true);
  });

  it('puts a task on the default queue unless told otherwise', () => {
    expect(defineTask({ name: 'one' }).queue).toBe('default');
  });

  it('keeps nothing of a type, which is only for the compiler', () => {
    const contract = defineTask({ name: 'one', payload: type<number>(), returns: type<void>() });
    expect(Object.keys(contract)).toEqual(['name', 'queue']);
  });

  it('takes a schema that is a function, as those of arktype are', () => {
    const schema = Object.assign(() => undefined, { '~standard': z.string()['~standard'] });
    expect(defineTask({ name: 'one', payload: schema }).payload).toBe(schema);
  });

  it('takes a class for a DTO, unless it is a Standard Schema as well', () => {
    class Dto {}
    class Both {
      static readonly '~standard' = z.string()['~standard'];
    }
    const { payload, returns } = defineTask({ name: 'one', payload: Dto, returns: Both });
    expect(isDtoSchema(payload)).toBe(true);
    expect(returns).toBe(Both);
  });

  it('does not take a schema that is a function for a class', () => {
    // an ordinary function has a prototype, as a class has
    const schema = Object.assign(function () {}, { '~standard': z.string()['~standard'] });
    expect(defineTask({ name: 'one', returns: schema }).returns).toBe(schema);
  });

  it.each([['x'.repeat(200)], ['заказ.оплатить 💳'], [' '], ['__proto__']])(
    'takes the name %j',
    (name) => {
      expect(defineTask({ name }).name).toBe(name);
    },
  );

  it.each([
    ['', 'name must not be empty'],
    ['x'.repeat(201), 'name must have at most 200 characters, and has 201'],
    ['a\u0000b', 'name must not contain control characters'],
    ['a\nb', 'name must not contain control characters'],
    ['\ud800', 'lone surrogates'],
    [undefined, 'name must be a string, not undefined'],
    [null, 'name must be a string, not null'],
    [7, 'name must be a string, not number'],
    [['a'], 'name must be a string, not an array'],
  ])('refuses the name %j', (name, problem) => {
    expect(problemsOf({ name })).toEqual([expect.stringContaining(problem)]);
  });

  it('lists everything that is wrong at once, and says where it stands', () => {
    const options = {
      name: 'one',
      queue: '',
      payload: () => 'no class',
      returns: { type: 'object' },
      retry: {},
    };
    expect(problemsOf(options)).toEqual([
      'queue must not be empty',
      expect.stringMatching(/^payload must be a DTO class, a schema.*type<T>\(\)/),
      expect.stringMatching(/^returns must be a DTO class/),
      expect.stringMatching(/^retry is not part of a contract.*@Task/),
    ]);
    expect(() => defineTask(options as never)).toThrow('defineTask("one")');
  });

  it.each([[undefined], [null], ['orders.charge']])('refuses %j in place of options', (options) => {
    expect(problemsOf(options)).toEqual([expect.stringContaining('takes an object')]);
  });
});

describe('isTaskContract', () => {
  it('tells a contract, or one made of it, from what only looks like one', () => {
    const contract = defineTask({ name: 'one' });
    expect(isTaskContract(contract)).toBe(true);
    expect(isTaskContract({ ...contract, queue: 'other' })).toBe(true);
    for (const other of [{ name: 'one', queue: 'default' }, 'one', null, undefined]) {
      expect(isTaskContract(other)).toBe(false);
    }
  });
});
