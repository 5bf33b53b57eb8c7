/** A guard, and what the code looks like without it. */
export interface Mutant {
  guard: string;
  file: string;
  /** Stands in the file exactly once. */
  code: string;
  without: string;
  /** Where the tests are that have to notice. */
  tests: string[];
}

const sql = (name: string) => `lib/persistence/sql/${name}.ts`;
const persistence = (name: string) => `test/persistence/${name}.spec.ts`;

export const mutants: Mutant[] = [
  {
    guard: 'settle: the token',
    file: sql('settle'),
    code: 'on r.id = a.id and r.token = a.token and r.status',
    without: 'on r.id = a.id and r.status',
    tests: [persistence('fence')],
  },
  {
    guard: 'settle: what somebody else has locked is skipped',
    file: sql('settle'),
    code: 'order by r.id for update of r skip locked),',
    without: 'order by r.id for update of r),',
    tests: [persistence('fence')],
  },
  {
    guard: 'settle: a failed attempt forgets its step errors',
    file: sql('settle'),
    code: 'where h.forget and h.outcome in',
    without: 'where false and h.outcome in',
    tests: [persistence('settle')],
  },
  {
    guard: 'save-steps, suspend: the token',
    file: sql('save-steps'),
    code: 'on a.id = r.id and a.token = r.token\n',
    without: 'on a.id = r.id\n',
    tests: [persistence('fence')],
  },
  {
    guard: 'suspend: a wait that is over parks nothing',
    file: sql('suspend'),
    code: 'and r.token = w.token and w.due_at > ts',
    without: 'and r.token = w.token',
    tests: [persistence('suspend')],
  },
  {
    guard: 'claim: a reaped worker claims nothing',
    file: sql('claim'),
    code: 'where w.id = p_worker and not w.dead and not exists',
    without: 'where w.id = p_worker and not exists',
    tests: [persistence('claim-alone'), persistence('recover')],
  },
  {
    guard: 'claim: code that is too old for the schema claims nothing',
    file: sql('claim'),
    code: 'where i.min_compatible > w.version)',
    without: 'where false)',
    tests: [persistence('claim')],
  },
  {
    guard: 'claim: the worker’s row is locked',
    file: sql('claim'),
    code: 'i.min_compatible > w.version) for key share;',
    without: 'i.min_compatible > w.version);',
    tests: [persistence('recover-guards')],
  },
  {
    guard: 'claim: what runs alone waits for an idle process',
    file: sql('claim'),
    code: "<= ts - p_alone_patience_ms * interval '1 ms'",
    without: '<= ts',
    tests: [persistence('claim-alone')],
  },
  {
    guard: 'claim: the overdue are passed over',
    file: sql('claim'),
    code: " and (${isOverdue('r')}) is not true",
    without: '',
    tests: ['test/e2e/deadlines.spec.ts'],
  },
  {
    guard: 'recovery: only by who has been steady for a lease',
    file: sql('recover'),
    code: "and me.steady_since <= ts - w.lease_ms * interval '1 ms'",
    without: '',
    tests: [persistence('recover'), persistence('recover-guards')],
  },
  {
    guard: 'recovery: an announced stop is charged nothing',
    file: sql('recover'),
    code: 'case when l.started and not victim.stopping then 1',
    without: 'case when l.started then 1',
    tests: [persistence('recover')],
  },
  {
    guard: 'recovery: only a loss while alone ends an execution',
    file: sql('recover'),
    code: 'where r.id = c.id and c.alone and c.charge and',
    without: 'where r.id = c.id and c.charge and',
    tests: [persistence('recover'), persistence('recover-guards')],
  },
  {
    guard: 'heartbeat: never revives the dead',
    file: sql('worker'),
    code: '  where w.id = p_worker and not w.dead;',
    without: '  where w.id = p_worker;',
    tests: [persistence('heartbeat')],
  },
  {
    guard: 'heartbeat: a gap starts steadiness anew',
    file: sql('worker'),
    code: "case when ts - w.beat_at > shortest * interval '0.5 ms' then ts else w.steady_since end",
    without: 'w.steady_since',
    tests: [persistence('heartbeat'), persistence('recover-guards')],
  },
  {
    guard: 'signing off: waits for a claim in flight',
    file: sql('worker'),
    code: 'perform 1 from ${s}.worker w where w.id = p_worker for update;',
    without: '',
    tests: [persistence('claim')],
  },
  {
    guard: 'claim reconciliation: what is owned and unknown is given back',
    file: 'lib/orchestrator/heartbeat.ts',
    code: '    await this.releaseOrphans(reply.orphans);\n',
    without: '',
    tests: ['test/e2e/lease.spec.ts'],
  },
  {
    guard: 'self-fencing: handlers are told before the lease ends',
    file: 'lib/orchestrator/heartbeat.ts',
    code: 'this.worker.leaseHeld = false;\n      this.worker.loseAll();',
    without: 'this.worker.leaseHeld = false;',
    tests: ['test/e2e/lease.spec.ts'],
  },
  {
    guard: 'self-fencing: a claim whose reply comes after the lease starts nothing',
    file: 'lib/worker/worker.ts',
    code: '!this.held || (this.workerId !== undefined',
    without: '(this.workerId !== undefined',
    tests: ['test/e2e/lease.spec.ts'],
  },
  {
    guard: 'blocked: not offered to the worker it did not fit',
    file: sql('blocked'),
    code: ' and ${alias}.blocked_by <> p_worker',
    without: '',
    tests: [persistence('offers')],
  },
  {
    guard: 'the cap of attempts',
    file: 'lib/execution/judge.ts',
    code: 'failures >= policy.maxAttempts || ',
    without: '',
    tests: ['test/e2e/execution.spec.ts'],
  },
  {
    guard: 'replay: recorded outcomes one per drained microtask queue',
    file: 'lib/worker/step-journal.ts',
    code: '    delivery();\n    this.schedulePump();',
    without: '    delivery();\n    this.pump();',
    tests: ['test/e2e/replay.spec.ts'],
  },
  {
    guard: 'replay: no body starts while a recorded outcome is unasked',
    file: 'lib/worker/step-journal.ts',
    code: 'if (ask === undefined) return this.awaitTheUnasked();',
    without:
      'if (ask === undefined) { if (!this.ports.stopping()) this.bodies.start(); return this.awaitTheUnasked(); }',
    tests: ['test/e2e/blocked.spec.ts'],
  },
  {
    guard: 'one write in flight an execution',
    file: 'lib/worker/outbox.ts',
    code: '    if (this.writing !== undefined) return;\n',
    without: '',
    tests: ['test/e2e/replay.spec.ts'],
  },
  {
    guard: 'prune: one worker at a time',
    file: sql('prune'),
    code: 'if not pg_try_advisory_xact_lock(',
    without: 'if false and not pg_try_advisory_xact_lock(',
    tests: [persistence('prune')],
  },
  {
    guard: 'prune: an id stays for ten minutes',
    file: sql('prune'),
    code: 'ts - greatest(r.keep_ms, ${REGISTER_MS})',
    without: 'ts - greatest(r.keep_ms, ${GRACE_MS})',
    tests: [persistence('prune')],
  },
  {
    guard: 'prune: steps before the execution',
    file: sql('prune'),
    code: '  if not more then\n',
    without: '  if true then\n',
    tests: [persistence('prune')],
  },
  {
    guard: 'shutdown: nothing is written by an attempt that was left behind',
    file: 'lib/orchestrator/crew.ts',
    code: '    this.worker.loseAll(new ShuttingDownError());',
    without: '    ',
    tests: ['test/e2e/shutdown.spec.ts'],
  },
  {
    guard: 'shutdown: a step that obeys its signal has not failed',
    file: 'lib/worker/step-bodies.ts',
    code: 'if (this.ports.interrupted()) return this.add(ask);',
    without: '',
    tests: ['test/e2e/shutdown.spec.ts'],
  },
  {
    guard: 'shutdown: connections that do not end are cut',
    file: 'lib/persistence/database.ts',
    code: 'connection.cut()',
    without: 'void connection',
    tests: ['test/e2e/shutdown.spec.ts'],
  },
  {
    guard: 'shutdown: the heartbeat goes on while handlers do',
    file: 'lib/orchestrator/crew.ts',
    code: '    this.worker.stopClaiming();\n',
    without: '    this.worker.stopClaiming();\n    void this.heartbeat.stop();\n',
    tests: ['test/process/shutdown.spec.ts'],
  },
  {
    guard: 'transactional step: the records are fenced in there',
    file: 'lib/persistence/step-transaction.ts',
    code: 'if (own.report !== reportCode.busy) throw',
    without: 'if (own.report !== reportCode.busy) return; throw',
    tests: ['test/e2e/transactions.spec.ts'],
  },
  {
    guard: 'transactional step: a COMMIT without an answer is looked for',
    file: sql('transactional-step'),
    code: 'return ${foundCode.recorded};',
    without: 'return ${foundCode.absent};',
    tests: ['test/e2e/transactions.spec.ts'],
  },
  {
    guard: 'transactional step: only in the transaction that it was given',
    file: sql('transactional-step'),
    code: 'is distinct from p_mark then',
    without: 'is distinct from p_mark and false then',
    tests: ['test/e2e/transactions.spec.ts'],
  },
  {
    guard: 'transactional step: what its body wrote is taken back when it fails',
    file: 'lib/persistence/step-transaction.ts',
    code: 'this.runner!.rollbackTransaction()',
    without: 'this.runner!.commitTransaction()',
    tests: ['test/e2e/transactions.spec.ts'],
  },
];
