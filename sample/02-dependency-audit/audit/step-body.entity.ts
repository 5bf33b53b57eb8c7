import { Column, CreateDateColumn, Entity, Index, PrimaryGeneratedColumn } from 'typeorm';

/** A step's body began to run, in this process. Only ever appended to: how the sample counts bodies that ran again. */
@Entity('step_body')
export class StepBody {
  @PrimaryGeneratedColumn('identity', { type: 'int' })
  id!: number;

  @Index()
  @Column('uuid', { name: 'execution_id' })
  executionId!: string;

  @Column('text')
  step!: string;

  @Column('int')
  pid!: number;

  @CreateDateColumn({ type: 'timestamptz' })
  at!: Date;
}
