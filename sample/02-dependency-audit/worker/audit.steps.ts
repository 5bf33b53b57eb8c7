import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { Repository } from 'typeorm';
import { Step } from '../../../lib/index.js';
import { AuditedPackage } from '../audit/audited-package.entity.js';
import { hashFiles, type Content } from '../audit/hash-files.js';
import { readManifest, type Manifest } from '../audit/manifest.js';
import { ReadRate } from '../audit/read-rate.js';
import { StepBodies } from './step-bodies.js';

@Injectable()
export class AuditSteps {
  constructor(
    private readonly bodies: StepBodies,
    private readonly rate: ReadRate,
    @InjectRepository(AuditedPackage) private readonly packages: Repository<AuditedPackage>,
  ) {}

  @Step()
  async readManifest(executionId: string, root: string, path: string): Promise<Manifest> {
    await this.bodies.began(executionId, 'read manifest');
    return await readManifest(join(root, path));
  }

  @Step()
  async hashFiles(executionId: string, root: string, path: string): Promise<Content> {
    await this.bodies.began(executionId, 'hash files');
    return await hashFiles(join(root, path), this.rate);
  }

  /** The execution's id is the row's key, so the row of a body that ran before is left as it is. */
  @Step()
  async writeRow(row: Omit<AuditedPackage, 'auditedAt'>): Promise<void> {
    await this.bodies.began(row.executionId, 'write row');
    await this.packages.createQueryBuilder().insert().values(row).orIgnore().execute();
  }
}
