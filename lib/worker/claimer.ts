import { v4 as randomUuid } from 'uuid';
import { afterMacrotask } from '../common/after-drain.js';
import { Alarm } from '../common/alarm.js';
import { jittered, type Clock } from '../common/clock.js';
import type {
  ClaimReply,
  ClaimRow,
  ExecutionRepository,
} from '../persistence/repositories/execution.repository.js';
import type { Lease } from './lease.js';
import type { SlotRequest, Slots } from './slots.js';
import type { WorkerLog } from './worker-log.js';

/** How long what must run alone waits for an idle process before a busy one takes it and empties itself. */
const ALONE_PATIENCE_MS = 5_000;

/** Before the next claim when something is due and none of it could be had: others are taking it. */
const CONTENDED_PAUSE_MS = 10;

const FIRST_BACKOFF_MS = 50;
const LONGEST_BACKOFF_MS = 5_000;

export interface ClaimerPorts {
  /** Whether nothing may come in, however many slots are free. */
  isFull(): boolean;
  /** Whether there is nothing in this process. */
  isEmpty(): boolean;
  receive(executions: ClaimRow[]): void;
  /** No claim is on its way any more. */
  quiet(): void;
}

/** Claims when it is told that there may be something: by a hint, by the heartbeat, by its alarm for the next due time, or by a slot
 *  that became free. */
export class Claimer {
  private readonly inFlight = new Set<string>();
  private readonly alarm: Alarm;
  private wanted = false;
  private claiming = false;
  private offers = false;
  private backoffMs = 0;
  /** The last claim left something behind, for want of slots: the next free one is worth a claim. */
  private starved = false;

  constructor(
    private readonly executions: ExecutionRepository,
    private readonly slots: Slots,
    private readonly lease: Lease,
    private readonly log: WorkerLog,
    private readonly clock: Clock,
    private readonly ports: ClaimerPorts,
  ) {
    this.alarm = new Alarm(clock, () => this.wake());
  }

  /** Whether one is being sent, or about to be. */
  get isClaiming(): boolean {
    return this.claiming;
  }

  has(token: string): boolean {
    return this.inFlight.has(token);
  }

  stop(): void {
    this.alarm.clear();
  }

  /** There may be something to claim. */
  wake(): void {
    if (this.lease.workerId === undefined) return;
    this.wanted = true;
    if (!this.claiming) void this.claimWhileWanted();
  }

  /** Something can be claimed in so many ms. */
  wakeIn(ms: number): void {
    if (this.lease.workerId === undefined) return;
    if (ms <= 0) return this.wake();
    this.alarm.set(ms);
  }

  /** There is room again for what the last claim left behind. */
  roomAgain(): void {
    if (this.starved) this.wake();
  }

  /** What ran alone, and kept everything out, is over. */
  openAgain(): void {
    this.starved = true;
  }

  /** Blocked executions are offered to this worker: its next claim asks for them. */
  takeOffers(): void {
    this.offers = true;
    this.wake();
  }

  private async claimWhileWanted(): Promise<void> {
    this.claiming = true;
    try {
      while (this.wanted && this.lease.workerId !== undefined) {
        this.wanted = false;
        // attempts that end together free their slots together: one claim for all of them
        await new Promise<void>((resolve) => afterMacrotask(resolve));
        if (this.lease.workerId === undefined) return;
        await this.claimOnce(this.lease.workerId);
      }
    } finally {
      this.claiming = false;
      this.ports.quiet();
    }
  }

  private async claimOnce(workerId: number): Promise<void> {
    if (!this.lease.isRenewed) return;
    const requests = this.ports.isFull() ? [] : this.slots.wanted();
    this.starved = this.slots.areShort(requests, []);
    if (requests.length === 0) return;
    const token = randomUuid();
    const { offers } = this;
    this.offers = false;
    this.inFlight.add(token);
    let reply: ClaimReply;
    try {
      reply = await this.executions.claim({
        workerId,
        token,
        queues: requests,
        alonePatienceMs: this.ports.isEmpty() ? 0 : ALONE_PATIENCE_MS,
        offers,
      });
      this.backoffMs = 0;
    } catch (error) {
      return this.failed(error);
    } finally {
      this.inFlight.delete(token);
    }
    if (reply.refused) return; // the next heartbeat finds out why
    if (!this.lease.covers(workerId)) return;
    this.slots.cameTo(requests, reply.cursors);
    this.ports.receive(reply.executions);
    if (reply.overdue) await this.endOverdue();
    this.planNext(reply, requests);
  }

  /** They stand before what can be claimed, so they are not left to the next heartbeat. */
  private async endOverdue(): Promise<void> {
    try {
      await this.executions.endOverdue();
      this.wake();
    } catch (error) {
      this.failed(error);
    }
  }

  private planNext({ executions, dueInMs }: ClaimReply, requests: SlotRequest[]): void {
    if (this.slots.areShort(requests, executions)) this.starved = true;
    if (dueInMs === undefined || executions.some(({ alone }) => alone)) return;
    // nothing came although something is due: another worker has it in hand, or it must run alone and we are busy
    if (executions.length === 0 && dueInMs <= 0) this.wakeIn(CONTENDED_PAUSE_MS);
    else this.wakeIn(dueInMs);
  }

  private failed(error: unknown): void {
    this.backoffMs = Math.min(Math.max(this.backoffMs * 2, FIRST_BACKOFF_MS), LONGEST_BACKOFF_MS);
    this.log.claimFailed(error, this.backoffMs);
    this.wakeIn(jittered(this.clock, this.backoffMs));
  }
}
