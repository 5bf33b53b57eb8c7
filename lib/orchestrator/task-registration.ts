import type { Logger } from '@nestjs/common';
import { parseDuration } from '../common/duration.js';
import type { TaskDefinition } from '../discovery/task-definition.js';
import { retentionPolicy } from '../execution/retention-policy.js';
import type { ResolvedOptions } from '../interfaces/module-options.js';
import type { BlockedRepository } from '../persistence/repositories/blocked.repository.js';
import type {
  TaskRepository,
  StoredSettings,
} from '../persistence/repositories/task.repository.js';
import type { ServedQueue } from '../worker/queue-slots.js';

/** Writes the settings of the tasks that this process serves, offers it what is blocked, and gives the queues that it serves.
 *  @param patienceMs how long to go on while the database does not answer */
export async function registerTasks(
  all: TaskDefinition[],
  { queues, defaults }: Pick<ResolvedOptions, 'queues' | 'defaults'>,
  tasks: TaskRepository,
  blocked: BlockedRepository,
  patienceMs: number,
): Promise<ServedQueue[]> {
  const served = all.filter(({ queue }) => queue in queues);
  const ids = await tasks.resolve(served, patienceMs);
  await tasks.register(
    served.map((task, index) => settingsOf(task, ids[index]!.taskId, defaults)),
    patienceMs,
  );
  await blocked.offer(
    ids.map(({ taskId }) => taskId),
    patienceMs,
  );
  const byId = new Map<number, ServedQueue>();
  served.forEach((task, index) => {
    const { taskId, queueId } = ids[index]!;
    const queue = byId.get(queueId) ?? {
      queueId,
      name: task.queue,
      concurrency: queues[task.queue]!.concurrency,
      tasks: new Map(),
    };
    queue.tasks.set(taskId, task);
    byId.set(queueId, queue);
  });
  return [...byId.values()];
}

export function warnOfUnserved(
  all: TaskDefinition[],
  { queues }: Pick<ResolvedOptions, 'queues'>,
  logger: Logger,
): void {
  for (const { name, queue, source } of all) {
    if (queue in queues) continue;
    logger.warn(
      `Task "${name}" (${source}) is on queue "${queue}", which this process does not serve: its executions wait ` +
        `for a process that does. To serve it here, add it to the option queues.`,
    );
  }
}

function settingsOf(
  { options }: TaskDefinition,
  taskId: number,
  defaults: ResolvedOptions['defaults'],
): StoredSettings {
  const { priority = 0, maxLosses = 3, expireAfter, deadline, retention, version = 0 } = options;
  return {
    taskId,
    priority,
    maxLosses: maxLosses === false ? undefined : maxLosses,
    expireAfterMs: parseDuration(expireAfter),
    deadlineMs: parseDuration(deadline),
    retention: retentionPolicy(retention, defaults.retention),
    version,
  };
}
