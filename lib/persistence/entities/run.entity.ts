import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The state of what is not finished. Only statements of sql/ write it. */
@Entity({ name: 'run', synchronize: false })
export class RunEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('smallint')
  status!: number;

  @Column('timestamptz', { name: 'run_at' })
  runAt!: Date;

  @Column('timestamptz', { name: 'started_at', nullable: true })
  startedAt!: Date | null;

  @Column('int', { name: 'worker_id', nullable: true })
  workerId!: number | null;

  @Column('int')
  claims!: number;

  @Column('smallint')
  failures!: number;

  @Column('smallint')
  losses!: number;
}
