import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { TaskSettings } from '../interfaces/task-options.js';
import type { TaskHandler } from './task-handler.js';

/** A task as it was found in the app. */
export interface TaskDefinition {
  name: string;
  queue: string;
  options: TaskSettings;
  payload?: StandardSchemaV1;
  returns?: StandardSchemaV1;
  handler: TaskHandler;
  /** `Class.method`, for messages. */
  source: string;
  /** Where the instance belongs, such as `provider of OrderModule`; tells two instances of one class apart. */
  home?: string;
}
