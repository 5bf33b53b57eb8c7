import { Column, Entity, PrimaryColumn } from 'typeorm';

/** An attempt that failed, diverged or was lost with its process. */
@Entity({ name: 'failure', synchronize: false })
export class FailureEntity {
  @PrimaryColumn('uuid', { name: 'execution_id' })
  executionId!: string;

  @PrimaryColumn('int')
  claim!: number;

  @Column('smallint')
  attempt!: number;

  @Column('timestamptz', { name: 'failed_at' })
  failedAt!: Date;

  @Column('json')
  error!: unknown;
}
