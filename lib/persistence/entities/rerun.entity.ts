import { Column, Entity, PrimaryColumn } from 'typeorm';

/** That an execution was made of another one that had ended. */
@Entity({ name: 'rerun', synchronize: false })
export class RerunEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @PrimaryColumn('timestamptz', { name: 'made_at' })
  madeAt!: Date;

  @Column('uuid', { name: 'source_id' })
  sourceId!: string;

  /** Of a fork. */
  @Column('text', { name: 'from_step', nullable: true })
  fromStep!: string | null;
}
