import { SetMetadata } from '@nestjs/common';
import { TASK_METADATA } from '../../../lib/conductor.constants.js';
import { defineTask } from '../../../lib/contracts/define-task.js';
import { TaskEvent } from '../../../lib/contracts/task-event.js';
import { Task } from '../../../lib/decorators/task.decorator.js';
import { InvalidTaskError } from '../../../lib/errors/invalid-task.error.js';
import { TaskContext } from '../../../lib/interfaces/task-context.js';

const charge = defineTask({ name: 'orders.charge', queue: 'payments' });

function left(target: object, method: string): unknown {
  return Reflect.getMetadata(TASK_METADATA, Reflect.get(target, method) as object);
}

describe('@Task', () => {
  it('leaves on the method what it was given, in each of its forms', () => {
    class Tasks {
      @Task(charge, { priority: 1 })
      contract() {}
      @Task('named', { priority: 2 })
      named() {}
      @Task({ name: 'beside', queue: 'other', priority: 3, version: 4 }, { priority: 5 })
      beside() {}
    }
    const tasks = Tasks.prototype;
    expect(left(tasks, 'contract')).toEqual({
      contract: charge,
      name: 'orders.charge',
      options: { priority: 1 },
    });
    expect(left(tasks, 'named')).toEqual({ name: 'named', options: { priority: 2 } });
    expect(left(tasks, 'beside')).toEqual({
      name: 'beside',
      options: { queue: 'other', priority: 5, version: 4 },
    });
  });

  it('leaves the method what it was', () => {
    function handle() {}
    const descriptor = { value: handle };
    Task('one')({}, 'handle', descriptor);
    expect(descriptor.value).toBe(handle);
  });

  it('stands beside decorators of others', () => {
    class Tasks {
      @SetMetadata('above', 1)
      @Task('one')
      @SetMetadata('below', 2)
      handle() {}
    }
    const handle = Reflect.get(Tasks.prototype, 'handle') as () => unknown;
    expect([Reflect.getMetadata('above', handle), Reflect.getMetadata('below', handle)]).toEqual([
      1, 2,
    ]);
    expect(left(Tasks.prototype, 'handle')).toMatchObject({ name: 'one' });
  });

  it('lets event and context be imported as values, for the metadata that the compiler emits', () => {
    class Tasks {
      @Task(charge)
      handle(_event: TaskEvent<typeof charge>, _ctx: TaskContext) {}
    }
    expect(Reflect.getMetadata('design:paramtypes', Tasks.prototype, 'handle')).toEqual([
      TaskEvent,
      TaskContext,
    ]);
  });

  it('refuses a second task on one method', () => {
    expect(() => {
      class Twice {
        @Task('one')
        @Task('two')
        handle() {}
      }
      return Twice;
    }).toThrow(/Twice\.handle[\s\S]*two @Task decorators/);
  });

  it('refuses what is not an instance’s method with a name', () => {
    const decorate = Task('one') as (target: object, key: string | symbol, d?: object) => void;
    class Tasks {
      static handle() {}
      handle() {}
    }
    const places: [object, string | symbol, object | undefined, RegExp][] = [
      [Tasks, 'handle', { value() {} }, /Tasks\.handle[\s\S]*static/],
      [Tasks.prototype, 'size', { get: () => 1 }, /Tasks\.size[\s\S]*other than a method/],
      [Tasks.prototype, 'field', undefined, /Tasks\.field[\s\S]*other than a method/],
      [Tasks.prototype, Symbol('s'), { value() {} }, /Tasks\.Symbol\(s\)[\s\S]*symbol/],
    ];
    for (const [target, key, descriptor, message] of places) {
      expect(() => decorate(target, key, descriptor)).toThrow(InvalidTaskError);
      expect(() => decorate(target, key, descriptor)).toThrow(message);
    }
  });
});
