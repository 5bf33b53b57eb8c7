import type { Clock } from '../common/clock.js';
import { QueueSlots, type ServedQueue } from './queue-slots.js';

/** What one queue of a claim has room for. */
export interface SlotRequest {
  queueId: number;
  slots: number;
  taskIds: number[];
  /** Where the claim before this came to. */
  after?: string;
}

/** The slots of every queue that this process serves. */
export class Slots {
  private queues: QueueSlots[] = [];
  private byTask = new Map<number, QueueSlots>();

  constructor(private readonly clock: Clock) {}

  /** Those served already keep their slots: what runs in them goes on. */
  serve(queues: ServedQueue[]): void {
    this.queues = queues.map(
      (queue) =>
        this.queues.find((known) => known.queue === queue) ?? new QueueSlots(queue, this.clock),
    );
    this.byTask = new Map(
      this.queues.flatMap((slots) =>
        [...slots.queue.tasks.keys()].map((taskId) => [taskId, slots] as const),
      ),
    );
  }

  get all(): readonly QueueSlots[] {
    return this.queues;
  }

  get taskIds(): number[] {
    return [...this.byTask.keys()];
  }

  get running(): number {
    return this.queues.reduce((sum, { running }) => sum + running, 0);
  }

  of(taskId: number): QueueSlots {
    return this.byTask.get(taskId)!;
  }

  /** Where a claim came to in the queues that it has filled. */
  cameTo(requests: SlotRequest[], cursors: Map<number, string>): void {
    for (const { queueId, taskIds, after } of requests)
      this.of(taskIds[0]!).cameTo(cursors.get(queueId), after);
  }

  /** What to claim for every queue that has room. */
  wanted(): SlotRequest[] {
    return this.queues
      .map(({ queue, wanted, cursor }) => ({ ...request(queue, wanted), after: cursor }))
      .filter(({ slots, taskIds }) => slots > 0 && taskIds.length > 0);
  }

  /** Keeps a slot free for each execution of these tasks, as far as there are any. */
  reserve(taskIds: number[]): SlotRequest[] {
    const asked = new Map<QueueSlots, number>();
    for (const taskId of taskIds) {
      const slots = this.byTask.get(taskId);
      if (slots !== undefined) asked.set(slots, (asked.get(slots) ?? 0) + 1);
    }
    return [...asked]
      .map(([slots, count]) => request(slots.queue, slots.reserve(count)))
      .filter(({ slots }) => slots > 0);
  }

  unreserve(requests: SlotRequest[]): void {
    for (const { slots, taskIds } of requests) this.of(taskIds[0]!).unreserve(slots);
  }

  /** Whether a claim leaves something behind for want of slots: it did not ask for a queue, or got all that it asked for. */
  areShort(requests: SlotRequest[], claimed: { taskId: number }[]): boolean {
    if (requests.length < this.queues.length) return true;
    const came = new Map<QueueSlots, number>();
    for (const { taskId } of claimed) {
      const slots = this.of(taskId);
      came.set(slots, (came.get(slots) ?? 0) + 1);
    }
    return requests.some(({ slots, taskIds }) => came.get(this.of(taskIds[0]!)) === slots);
  }
}

function request({ queueId, tasks }: ServedQueue, slots: number): SlotRequest {
  return { queueId, slots, taskIds: [...tasks.keys()] };
}
