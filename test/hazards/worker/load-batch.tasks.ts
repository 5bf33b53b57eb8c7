import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { Task, TaskEvent } from '../../../lib/index.js';
import { BATCH_EVERY_MS, endTogether } from '../loads/load-batch.js';

@Injectable()
export class BatchTasks {
  private end?: Promise<void>;

  @Task(endTogether, { maxLosses: false })
  async waitForTheOthers(event: TaskEvent<typeof endTogether>) {
    // one promise for all: a timer each would end them one after the other
    this.end ??= pause(BATCH_EVERY_MS - (Date.now() % BATCH_EVERY_MS)).then(() => {
      this.end = undefined;
    });
    await this.end;
    return { index: event.payload.index };
  }
}
