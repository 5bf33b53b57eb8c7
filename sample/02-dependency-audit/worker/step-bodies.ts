import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { Repository } from 'typeorm';
import { StepBody } from '../audit/step-body.entity.js';

/** Keeps count of every body that begins, in the app's own table and past the engine. */
@Injectable()
export class StepBodies {
  constructor(@InjectRepository(StepBody) private readonly bodies: Repository<StepBody>) {}

  async began(executionId: string, step: string): Promise<void> {
    await this.bodies.insert({ executionId, step, pid: process.pid });
  }
}
