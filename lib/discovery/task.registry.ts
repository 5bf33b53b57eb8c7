import { Injectable } from '@nestjs/common';
import { DuplicateTaskError } from '../errors/duplicate-task.error.js';
import type { TaskDefinition } from './task-definition.js';

/** The tasks that this app can run. A task is its queue and its name: one name on two queues is two tasks. */
@Injectable()
export class TaskRegistry {
  private readonly queues = new Map<string, Map<string, TaskDefinition>>();

  /** @throws DuplicateTaskError if two methods handle one task */
  addAll(definitions: TaskDefinition[]): void {
    for (const definition of definitions) this.add(definition);
  }

  get(queue: string, name: string): TaskDefinition | undefined {
    return this.queues.get(queue)?.get(name);
  }

  all(): TaskDefinition[] {
    return [...this.queues.values()].flatMap((tasks) => [...tasks.values()]);
  }

  private add(definition: TaskDefinition): void {
    const { name, queue } = definition;
    const tasks = this.queues.get(queue) ?? new Map<string, TaskDefinition>();
    const first = tasks.get(name);
    if (first !== undefined) {
      throw new DuplicateTaskError(name, queue, ...twoSources(first, definition));
    }
    this.queues.set(queue, tasks.set(name, definition));
  }
}

function twoSources(first: TaskDefinition, second: TaskDefinition): [string, string] {
  if (first.source !== second.source) return [first.source, second.source];
  // one class provided twice: its name alone would not say where
  return [first, second].map(({ source, home }) =>
    home === undefined ? source : `${source} (${home})`,
  ) as [string, string];
}
