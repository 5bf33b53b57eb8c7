/** What this process may do as a worker, by what it knows of its lease. */
export class Lease {
  /** Undefined: it claims nothing yet, or nothing any more. */
  workerId?: number;
  /** Whether it is renewed in time, by code that is not too old for the schema. While it is not, nothing new is claimed. */
  isRenewed = true;
  /** By the local clock. When the process stood still, what it had claimed ahead would begin before the timer that gives the lease up. */
  mayBeginUntil = Infinity;

  /** Whether what a reply brings may be ours. This process has begun anew under another number: somebody else may be running it by now.
   *  Where the lease is over and nobody has noticed yet, it does not begin. */
  covers(workerId: number): boolean {
    return this.workerId === undefined || this.workerId === workerId;
  }
}
