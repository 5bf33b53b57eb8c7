import { Injectable, NotFoundException } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { In, type Repository } from 'typeorm';
import { v5 as uuidOf } from 'uuid';
import { Conductor, type ExecutionView, type PayloadOf } from '../../../lib/index.js';
import { auditPackage } from '../audit/audit-package.js';
import { AuditedPackage } from '../audit/audited-package.entity.js';
import { findPackages } from '../audit/find-packages.js';
import { StepBody } from '../audit/step-body.entity.js';
import { countOf, sum, totalsOf } from '../audit/totals.js';
import type { AuditRequest } from './audit-request.js';
import type { AuditAccepted, AuditProgress, AuditReport } from './audit-views.js';

@Injectable()
export class AuditsService {
  constructor(
    private readonly conductor: Conductor,
    @InjectRepository(AuditedPackage) private readonly packages: Repository<AuditedPackage>,
    @InjectRepository(StepBody) private readonly bodies: Repository<StepBody>,
  ) {}

  /** One execution a package. Their ids follow from the audit's id, so that asking again creates none. */
  async begin({ id, root }: AuditRequest): Promise<AuditAccepted> {
    const paths = await findPackages(root);
    const executions = await this.conductor.invokeMany(
      auditPackage,
      paths.map((path) => ({ id: uuidOf(path, id), payload: { audit: id, root, path } })),
    );
    const created = executions.filter(({ outcome }) => outcome === 'created');
    return { packages: executions.length, created: created.length };
  }

  async progress(id: string): Promise<AuditProgress> {
    const executions = await this.executionsOf(id);
    const running = executions.filter(({ status }) => status === 'running');
    const waiting = executions.filter(({ status }) => status === 'pending');
    return {
      packages: executions.length,
      statuses: countOf(executions.map(({ status }) => status)),
      retrying: waiting.filter(({ attempt }) => attempt > 1).length,
      recoveries: sum(executions.map(({ losses }) => losses)),
      running: await this.byProcess(running.map((execution) => execution.id)),
    };
  }

  async report(id: string): Promise<AuditReport> {
    const executions = await this.executionsOf(id);
    const ids = executions.map((execution) => execution.id);
    const bodies = await this.bodies.findBy({ executionId: In(ids) });
    const steps = new Set(bodies.map(({ executionId, step }) => `${executionId} ${step}`));
    return {
      totals: totalsOf(await this.packages.findBy({ auditId: id })),
      failures: executions
        .filter(({ status }) => status !== 'completed')
        .map(({ payload, status, error }) => `${asked(payload).path} ${status}: ${error?.message}`),
      attempts: sum(executions.map(({ attempt }) => attempt)),
      recoveries: sum(executions.map(({ losses }) => losses)),
      bodies: { begun: bodies.length, again: bodies.length - steps.size },
    };
  }

  private async executionsOf(audit: string): Promise<ExecutionView[]> {
    const executions: ExecutionView[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.conductor.list({ task: auditPackage.name, limit: 1_000, cursor });
      executions.push(...page.items.filter(({ payload }) => asked(payload).audit === audit));
      cursor = page.nextCursor;
    } while (cursor !== undefined);
    if (executions.length === 0) throw new NotFoundException(`There is no audit ${audit}.`);
    return executions;
  }

  private async byProcess(executions: string[]): Promise<Record<number, number>> {
    const latest = await this.bodies.find({
      where: { executionId: In(executions) },
      order: { id: 'ASC' },
    });
    const pids = new Map(latest.map(({ executionId, pid }) => [executionId, pid]));
    return countOf([...pids.values()].map(String));
  }
}

function asked(payload: unknown): PayloadOf<typeof auditPackage> {
  return payload as PayloadOf<typeof auditPackage>;
}
