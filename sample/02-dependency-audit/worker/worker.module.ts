import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ConductorModule } from '../../../lib/index.js';
import { AuditedPackage } from '../audit/audited-package.entity.js';
import { ReadRate } from '../audit/read-rate.js';
import { StepBody } from '../audit/step-body.entity.js';
import { BYTES_PER_SECOND, conductorOptions, databaseOptions } from '../settings.js';
import { AuditSteps } from './audit.steps.js';
import { AuditTasks } from './audit.tasks.js';
import { StepBodies } from './step-bodies.js';

@Module({
  imports: [
    TypeOrmModule.forRoot(databaseOptions(process.env.DATABASE_URL)),
    TypeOrmModule.forFeature([AuditedPackage, StepBody]),
    ConductorModule.forRoot(conductorOptions('worker')),
  ],
  providers: [
    AuditTasks,
    AuditSteps,
    StepBodies,
    { provide: ReadRate, useFactory: () => new ReadRate(BYTES_PER_SECOND) },
  ],
})
export class WorkerModule {}
