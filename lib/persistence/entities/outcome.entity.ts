import { Column, Entity, PrimaryColumn } from 'typeorm';

/** How an execution ended; appended once, never changed. */
@Entity({ name: 'outcome', synchronize: false })
export class OutcomeEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('smallint')
  status!: number;

  @Column('timestamptz', { name: 'finished_at' })
  finishedAt!: Date;

  @Column('timestamptz', { name: 'started_at', nullable: true })
  startedAt!: Date | null;

  @Column('int')
  claims!: number;

  @Column('smallint')
  failures!: number;

  @Column('smallint')
  losses!: number;

  /** Its result or error, payload and steps were removed; the row stays for a while. */
  @Column('boolean')
  pruned!: boolean;

  @Column('json', { nullable: true })
  result!: unknown;

  @Column('json', { nullable: true })
  error!: unknown;
}
