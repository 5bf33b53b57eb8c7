import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Task, TaskContext, TaskEvent } from '../../../lib/index.js';
import { auditPackage } from '../audit/audit-package.js';
import { classifyLicence } from '../audit/licence.js';
import { AuditSteps } from './audit.steps.js';
import { StepBodies } from './step-bodies.js';

@Injectable()
export class AuditTasks {
  constructor(
    private readonly steps: AuditSteps,
    private readonly bodies: StepBodies,
  ) {}

  @Task(auditPackage, { retry: { maxAttempts: 3, backoff: { type: 'fixed', delay: '300ms' } } })
  async audit({ payload }: TaskEvent<typeof auditPackage>, ctx: TaskContext) {
    const { audit, root, path } = payload;
    const manifest = await this.steps.readManifest(ctx.executionId, root, path);
    const content = await this.steps.hashFiles(ctx.executionId, root, path);
    const licence = await ctx.step('classify licence', async () => {
      await this.bodies.began(ctx.executionId, 'classify licence');
      if (ctx.attempt === 1 && failsAtFirst(path)) throw new Error('Failed on purpose.');
      return classifyLicence(manifest.declared);
    });
    await this.steps.writeRow({
      executionId: ctx.executionId,
      auditId: audit,
      path,
      name: manifest.name,
      version: manifest.version,
      ...licence,
      ...content,
    });
    return { package: `${manifest.name}@${manifest.version}`, digest: content.digest };
  }
}

/** One package in 16, the same ones in every run. */
function failsAtFirst(path: string): boolean {
  return createHash('sha512').update(path).digest()[0]! % 16 === 0;
}
