import type { TaskDefinition } from '../../../lib/discovery/task-definition.js';
import { TaskRegistry } from '../../../lib/discovery/task.registry.js';
import { DuplicateTaskError } from '../../../lib/errors/duplicate-task.error.js';

function task(queue: string, name: string, source: string, home?: string): TaskDefinition {
  return { queue, name, source, home, options: {}, handler: () => undefined };
}

describe('TaskRegistry', () => {
  it('gives back what was added, by queue and name', () => {
    const registry = new TaskRegistry();
    const one = task('default', 'one', 'A.one');
    const two = task('default', 'two', 'A.two');
    registry.addAll([one]);
    registry.addAll([two]);
    expect(registry.get('default', 'one')).toBe(one);
    expect(registry.get('default', 'two')).toBe(two);
    expect(registry.all()).toEqual([one, two]);
  });

  it('knows nothing that was not added', () => {
    const registry = new TaskRegistry();
    registry.addAll([task('default', 'one', 'A.one')]);
    expect(registry.get('default', 'constructor')).toBeUndefined();
    expect(registry.get('other', 'one')).toBeUndefined();
    expect(registry.get('__proto__', 'one')).toBeUndefined();
  });

  it('X3 refuses a task that is handled twice, naming both methods', () => {
    const twice = () =>
      new TaskRegistry().addAll([task('default', 'one', 'A.one'), task('default', 'one', 'B.uno')]);
    expect(twice).toThrow(DuplicateTaskError);
    expect(twice).toThrow(/"one" on queue "default".*A\.one.*B\.uno/);
  });

  it('X3 refuses two instances of one class, telling where they are', () => {
    const instances = [
      task('default', 'one', 'A.one', 'provider of First'),
      task('default', 'one', 'A.one', 'provider of Second'),
    ];
    expect(() => new TaskRegistry().addAll(instances)).toThrow(
      /A\.one \(provider of First\).*A\.one \(provider of Second\)/,
    );
  });

  it('X3 takes one name on two queues for two tasks', () => {
    const registry = new TaskRegistry();
    const here = task('here', 'one', 'A.one');
    const there = task('there', 'one', 'B.one');
    registry.addAll([here, there]);
    expect(registry.get('here', 'one')).toBe(here);
    expect(registry.get('there', 'one')).toBe(there);
  });
});
