import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A cancel that came while a handler ran. */
@Entity({ name: 'cancellation', synchronize: false })
export class CancellationEntity {
  @PrimaryColumn('uuid', { name: 'execution_id' })
  executionId!: string;

  @Column('timestamptz', { name: 'requested_at' })
  requestedAt!: Date;

  @Column('text', { nullable: true })
  reason!: string | null;
}
