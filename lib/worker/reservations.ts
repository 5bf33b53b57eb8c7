import { v4 as randomUuid } from 'uuid';
import type { Clock } from '../common/clock.js';
import type { ClaimRow, Reservation } from '../persistence/repositories/execution.repository.js';
import type { Lease } from './lease.js';
import type { Slots } from './slots.js';

/** An invoke that waits for somebody else's transaction keeps its slots from nobody for longer. What it starts after that waits for a slot
 *  as what is claimed ahead does. */
const RESERVED_MS = 250;

export interface ReservationPorts {
  receive(executions: ClaimRow[]): void;
  /** Slots that were kept are free again. */
  letGo(): void;
  ended(): void;
}

/** Slots that are kept for what this process is about to enqueue, so that it is claimed by being inserted. */
export class Reservations {
  private readonly tokens = new Set<string>();

  constructor(
    private readonly slots: Slots,
    private readonly lease: Lease,
    private readonly clock: Clock,
    private readonly ports: ReservationPorts,
  ) {}

  /** On their way to the database and back. */
  get size(): number {
    return this.tokens.size;
  }

  has(token: string): boolean {
    return this.tokens.has(token);
  }

  /** One slot for each of these tasks, as far as there are any. */
  make(workerId: number, taskIds: number[]): Reservation | undefined {
    const queues = this.slots.reserve(taskIds);
    if (queues.length === 0) return undefined;
    const token = randomUuid();
    this.tokens.add(token);
    let isKept = true;
    const letGo = () => {
      if (isKept) this.slots.unreserve(queues);
      isKept = false;
    };
    const timer = this.clock.startTimer(RESERVED_MS, () => {
      letGo();
      this.ports.letGo();
    });
    return {
      workerId,
      token,
      queues,
      end: (executions) => {
        this.clock.stopTimer(timer);
        this.tokens.delete(token);
        letGo();
        if (this.lease.covers(workerId)) this.ports.receive(executions);
        this.ports.ended();
      },
    };
  }
}
