import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import type { CancellationEntity } from './cancellation.entity.js';
import type { OutcomeEntity } from './outcome.entity.js';
import type { RerunEntity } from './rerun.entity.js';
import type { RunEntity } from './run.entity.js';
import { TaskEntity } from './task.entity.js';

/** What was asked for. It has a run while it is not finished and an outcome from then on, never both. */
@Entity({ name: 'execution', synchronize: false })
export class ExecutionEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @ManyToOne(() => TaskEntity)
  @JoinColumn({ name: 'task_id' })
  task!: TaskEntity;

  @Column('smallint')
  priority!: number;

  @Column('timestamptz', { name: 'created_at' })
  createdAt!: Date;

  @Column('json')
  payload!: unknown;

  @Column('json', { nullable: true })
  headers!: unknown;

  /** Mapped by the reader's join. */
  run?: RunEntity | null;

  outcome?: OutcomeEntity | null;

  cancellation?: CancellationEntity | null;

  /** What it was made of, where that is another execution. */
  rerun?: RerunEntity | null;
}
