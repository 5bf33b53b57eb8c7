import type { RetentionPolicy } from '../../execution/retention-policy.js';
import type { Database } from '../database.js';
import { TaskEntity } from '../entities/task.entity.js';
import { registerTasks, resolveTasks } from '../sql/tasks.js';

export interface TaskName {
  queue: string;
  name: string;
}

export interface TaskIds {
  taskId: number;
  queueId: number;
}

/** What an execution has of its task where its invoke says nothing; bigints as text. */
export interface TaskDefaults {
  priority: number;
  expireAfterMs: string | null;
  deadlineMs: string | null;
}

export interface StoredSettings {
  taskId: number;
  priority: number;
  /** undefined: never ended by losses. */
  maxLosses?: number;
  expireAfterMs?: number;
  deadlineMs?: number;
  retention: RetentionPolicy;
  version: number;
}

/** Tasks and queues go by number in every hot row; this keeps the numbers. */
export class TaskRepository {
  /** By queue, then by name. */
  private readonly known = new Map<string, Map<string, TaskIds>>();

  constructor(private readonly database: Database) {}

  /** In the order asked. New names are registered, so a task may be invoked before any worker knows it. */
  async resolve(names: TaskName[], patienceMs: number): Promise<TaskIds[]> {
    const missing = names.filter((task) => this.find(task) === undefined);
    if (missing.length > 0) {
      const rows = await this.database.statement.persist<{
        ordinal: number;
        task_id: number;
        queue_id: number;
      }>(
        resolveTasks.call(this.database.schema),
        [missing.map((task) => task.queue), missing.map((task) => task.name)],
        this.database.patience(patienceMs),
      );
      for (const row of rows) {
        const { queue, name } = missing[row.ordinal - 1]!;
        const ofQueue = this.known.get(queue) ?? new Map<string, TaskIds>();
        this.known.set(queue, ofQueue.set(name, { taskId: row.task_id, queueId: row.queue_id }));
      }
    }
    return names.map((task) => this.find(task)!);
  }

  /** As they are now. */
  async defaults(taskId: number): Promise<TaskDefaults | undefined> {
    return (await this.database.repository(TaskEntity).findOneBy({ id: taskId })) ?? undefined;
  }

  /** The rows are gone (someone emptied the tables): ask again. */
  forget(): void {
    this.known.clear();
  }

  async register(settings: StoredSettings[], patienceMs: number): Promise<void> {
    await this.database.statement.persist(
      registerTasks.call(this.database.schema),
      [
        settings.map((task) => task.taskId),
        settings.map((task) => task.priority),
        settings.map((task) => task.maxLosses ?? null),
        settings.map((task) => task.expireAfterMs ?? null),
        settings.map((task) => task.deadlineMs ?? null),
        settings.map((task) => task.retention.completedMs ?? null),
        settings.map((task) => task.retention.failedMs ?? null),
        settings.map((task) => task.version),
      ],
      this.database.patience(patienceMs),
    );
  }

  private find({ queue, name }: TaskName): TaskIds | undefined {
    return this.known.get(queue)?.get(name);
  }
}
