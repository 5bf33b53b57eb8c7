import {
  Body,
  Controller,
  Get,
  HttpCode,
  Param,
  ParseUUIDPipe,
  Post,
  StandardSchemaValidationPipe,
} from '@nestjs/common';
import { auditRequest, type AuditRequest } from './audit-request.js';
import type { AuditAccepted, AuditProgress, AuditReport } from './audit-views.js';
import { AuditsService } from './audits.service.js';

@Controller('audits')
export class AuditsController {
  constructor(private readonly audits: AuditsService) {}

  @Post()
  @HttpCode(202)
  begin(
    @Body({ schema: auditRequest, pipes: [StandardSchemaValidationPipe] }) request: AuditRequest,
  ): Promise<AuditAccepted> {
    return this.audits.begin(request);
  }

  @Get(':id')
  progress(@Param('id', ParseUUIDPipe) id: string): Promise<AuditProgress> {
    return this.audits.progress(id);
  }

  @Get(':id/report')
  report(@Param('id', ParseUUIDPipe) id: string): Promise<AuditReport> {
    return this.audits.report(id);
  }
}
