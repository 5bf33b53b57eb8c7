import { SetMetadata } from '@nestjs/common';
import { STEP_METADATA } from '../../../lib/conductor.constants.js';
import { Step } from '../../../lib/decorators/step.decorator.js';
import { InvalidStepError } from '../../../lib/errors/invalid-step.error.js';
import { InvalidTaskError } from '../../../lib/errors/invalid-task.error.js';
import {
  currentExecution,
  type ActiveExecution,
  type StepCall,
} from '../../../lib/execution/current-execution.js';

/** Notes the calls of steps, and runs each body at once, as one that is inside a step. */
class RecordingExecution implements ActiveExecution {
  readonly calls: StepCall[] = [];

  callStep(call: StepCall): Promise<unknown> {
    this.calls.push(call);
    return currentExecution.run({ execution: this, insideStep: call.name }, call.body);
  }

  run<T>(fn: () => T): T {
    return currentExecution.run({ execution: this }, fn);
  }
}

const backoff = { type: 'fixed', delay: '1s' } as const;

class Orders {
  constructor(readonly shop: string) {}

  @Step()
  async load(id: string, _more = 1) {
    return `${this.shop} ${id}`;
  }

  @Step({ name: 'reserve', retry: { maxAttempts: 5, backoff }, key: (id: string) => id })
  async hold(id: string) {
    return this.load(id);
  }

  async both(id: string) {
    return [await this.load(id), await this.hold(id)];
  }

  @Step()
  fails(): Promise<never> {
    throw new Error('at once');
  }
}

describe('@Step', () => {
  let execution: RecordingExecution;

  beforeEach(() => {
    execution = new RecordingExecution();
  });

  it('is an ordinary method outside an execution', async () => {
    await expect(new Orders('shop').hold('1')).resolves.toBe('shop 1');
    expect(() => new Orders('shop').fails()).toThrow('at once');
  });

  it('is an ordinary method once the activation has ended', async () => {
    const cell = { execution };
    const late = currentExecution.run(cell, () => async () => await new Orders('shop').load('1'));
    await currentExecution.run({}, late);
    expect(execution.calls).toEqual([]);
  });

  it('goes through the execution inside one, under its class and method', async () => {
    const orders = new Orders('shop');
    await expect(execution.run(() => orders.load('1'))).resolves.toBe('shop 1');
    expect(execution.calls).toEqual([
      {
        name: 'Orders.load',
        key: undefined,
        args: ['1'],
        options: { retry: undefined },
        transactional: false,
        body: expect.any(Function),
      },
    ]);
  });

  it('asks the execution at once, before anything is awaited', () => {
    const pending = execution.run(() => new Orders('shop').load('1'));
    expect(execution.calls).toHaveLength(1);
    return pending;
  });

  it('hands on its name, its key and its policy', async () => {
    await execution.run(() => new Orders('shop').hold('1'));
    expect(execution.calls).toMatchObject([
      { name: 'reserve', key: '1', options: { retry: { maxAttempts: 5, backoff } } },
    ]);
  });

  it('works on calls through this, and runs inline inside another step', async () => {
    await execution.run(() => new Orders('shop').both('1'));
    expect(execution.calls.map(({ name }) => name)).toEqual(['Orders.load', 'reserve']);
  });

  it('gives what the execution gives, whatever the body would', async () => {
    const remembering: ActiveExecution = { callStep: async () => 'remembered' };
    const orders = new Orders('shop');
    await expect(
      currentExecution.run({ execution: remembering }, () => orders.load('1')),
    ).resolves.toBe('remembered');
  });

  it('rejects with what a method throws before its first await', async () => {
    await expect(execution.run(() => new Orders('shop').fails())).rejects.toThrow('at once');
  });

  it('is recorded under the class that declares it, and an override that is no step is none', async () => {
    class Special extends Orders {}
    class Overriding extends Orders {
      override async load() {
        return 'plain';
      }
    }
    class Wrapping extends Orders {
      @Step()
      override async load(id: string) {
        return `${await super.load(id)}!`;
      }
    }
    await execution.run(() => new Special('special').load('1'));
    await expect(execution.run(() => new Overriding('x').load())).resolves.toBe('plain');
    await expect(execution.run(() => new Wrapping('shop').load('1'))).resolves.toBe('shop 1!');
    expect(execution.calls.map(({ name }) => name)).toEqual(['Orders.load', 'Wrapping.load']);
  });

  it('keeps name, length, and metadata from above and below', () => {
    class Steps {
      @SetMetadata('above', 1)
      @Step()
      @SetMetadata('below', 2)
      async load(_id: string, _more: number) {}
    }
    const load = Reflect.get(Steps.prototype, 'load') as () => unknown;
    expect([load.name, load.length]).toEqual(['load', 2]);
    const read = ['above', 'below', STEP_METADATA].map((key) => Reflect.getMetadata(key, load));
    expect(read).toEqual([1, 2, { transactional: false }]);
  });

  it.each([
    [
      'throws',
      () => {
        throw new RangeError('no key');
      },
      'no key',
      RangeError,
    ],
    ['returns no string', () => undefined, /@Step on Keyed\.load.*key.*string/, InvalidStepError],
    ['returns what cannot be stored', () => 'a\u0000', /control characters/, InvalidStepError],
    ['returns too much', () => 'x'.repeat(201), /200/, InvalidStepError],
  ])('rejects, and runs nothing, where its key %s', async (_what, key, message, error) => {
    const ran: string[] = [];
    class Keyed {
      @Step({ key: key as () => string })
      async load() {
        ran.push('load');
      }
    }
    const pending = execution.run(() => new Keyed().load());
    await expect(pending).rejects.toThrow(message);
    await expect(pending).rejects.toBeInstanceOf(error);
    expect([ran, execution.calls]).toEqual([[], []]);
  });

  it.each([
    [{ retries: 3 }, /retries/],
    [{ name: '' }, /name must not be empty/],
    [{ name: 'x'.repeat(201) }, /name.*200/],
    [{ key: 'id' }, /key must be a function/],
    [{ retry: { maxAttempts: 0, backoff: 'linear' } }, /retry\.maxAttempts[\s\S]*retry\.backoff/],
    [null, /must be an object/],
  ])('refuses the options %j where they are written, naming the method', (options, message) => {
    const decorated = () => {
      class Bad {
        @Step(options as never)
        async load() {}
      }
      return Bad;
    };
    expect(decorated).toThrow(InvalidTaskError);
    expect(decorated).toThrow(/Bad\.load/);
    expect(decorated).toThrow(message);
  });

  it('refuses to stand twice on one method', () => {
    expect(() => {
      class Twice {
        @Step()
        @Step({ name: 'other' })
        async load() {}
      }
      return Twice;
    }).toThrow(/Twice\.load[\s\S]*twice/);
  });

  it('refuses a static method', () => {
    expect(() => {
      class Static {
        @Step()
        static async load() {}
      }
      return Static;
    }).toThrow(/Static\.load[\s\S]*static/);
  });

  it('asks for a name where the class has none', () => {
    // as a compiler would write it: the one of these tests gives every class a name
    const anonymous = (options?: { name: string }) => () =>
      Step(options)(new (class {})(), 'load', { value: async () => undefined });
    expect(anonymous()).toThrow(/no name.*option name/);
    expect(anonymous({ name: 'load' })).not.toThrow();
  });
});
