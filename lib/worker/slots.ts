import type { TaskDefinition } from '../discovery/task-definition.js';

/** A queue that this worker serves. */
export interface ServedQueue {
  queueId: number;
  name: string;
  /** Handlers of this queue that run at once in this process. */
  concurrency: number;
  tasks: Map<number, TaskDefinition>;
}

/** What one queue of a claim has room for. */
export interface SlotRequest {
  queueId: number;
  slots: number;
  taskIds: number[];
}

/** How many more handlers each queue may run in this process. */
export class Slots {
  private queues: ServedQueue[] = [];
  private readonly taken = new Map<number, number>();

  serve(queues: ServedQueue[]): void {
    this.queues = queues;
  }

  get taskIds(): number[] {
    return this.queues.flatMap((queue) => [...queue.tasks.keys()]);
  }

  queueOf(taskId: number): ServedQueue {
    return this.queues.find(({ tasks }) => tasks.has(taskId))!;
  }

  /** Of every queue that has some. */
  free(): SlotRequest[] {
    return this.queues
      .map(({ queueId, concurrency, tasks }) => ({
        queueId,
        slots: concurrency - (this.taken.get(queueId) ?? 0),
        taskIds: [...tasks.keys()],
      }))
      .filter(({ slots, taskIds }) => slots > 0 && taskIds.length > 0);
  }

  /** Whether a claim leaves something behind for want of slots: it did not ask for a queue, or got all that it asked for. */
  areShort(requests: SlotRequest[], claimed: { taskId: number }[]): boolean {
    if (requests.length < this.queues.length) return true;
    const came = new Map<number, number>();
    for (const { taskId } of claimed) {
      const { queueId } = this.queueOf(taskId);
      came.set(queueId, (came.get(queueId) ?? 0) + 1);
    }
    return requests.some(({ queueId, slots }) => came.get(queueId) === slots);
  }

  take({ queueId }: ServedQueue): void {
    this.taken.set(queueId, (this.taken.get(queueId) ?? 0) + 1);
  }

  giveBack({ queueId }: ServedQueue): void {
    this.taken.set(queueId, this.taken.get(queueId)! - 1);
  }
}
