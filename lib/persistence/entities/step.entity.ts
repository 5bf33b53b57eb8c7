import { Column, Entity, PrimaryColumn } from 'typeorm';

/** What a handler was given by a step or a wait. */
@Entity({ name: 'step', synchronize: false })
export class StepEntity {
  @PrimaryColumn('uuid', { name: 'execution_id' })
  executionId!: string;

  @PrimaryColumn('text')
  name!: string;

  @Column('smallint')
  kind!: number;

  @Column('smallint')
  status!: number;

  @Column('int', { nullable: true })
  seq!: number | null;

  @Column('timestamptz', { name: 'recorded_at' })
  recordedAt!: Date;

  @Column('timestamptz', { name: 'due_at', nullable: true })
  dueAt!: Date | null;

  @Column('json', { nullable: true })
  value!: unknown;
}
