import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ConductorModule } from '../../../lib/index.js';
import { AuditedPackage } from '../audit/audited-package.entity.js';
import { StepBody } from '../audit/step-body.entity.js';
import { conductorOptions, databaseOptions } from '../settings.js';
import { AuditsController } from './audits.controller.js';
import { AuditsService } from './audits.service.js';

@Module({
  imports: [
    TypeOrmModule.forRoot(databaseOptions(process.env.DATABASE_URL)),
    TypeOrmModule.forFeature([AuditedPackage, StepBody]),
    ConductorModule.forRoot(conductorOptions('client')),
  ],
  controllers: [AuditsController],
  providers: [AuditsService],
})
export class ApiModule {}
