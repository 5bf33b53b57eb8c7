import { Column, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { QueueEntity } from './queue.entity.js';

@Entity({ name: 'task', synchronize: false })
export class TaskEntity {
  @PrimaryColumn('int')
  id!: number;

  @ManyToOne(() => QueueEntity)
  @JoinColumn({ name: 'queue_id' })
  queue!: QueueEntity;

  @Column('text')
  name!: string;

  @Column('smallint')
  priority!: number;

  @Column('int', { name: 'max_losses', nullable: true })
  maxLosses!: number | null;

  /** A bigint, which the driver gives as text. */
  @Column('bigint', { name: 'expire_after_ms', nullable: true })
  expireAfterMs!: string | null;

  @Column('bigint', { name: 'deadline_ms', nullable: true })
  deadlineMs!: string | null;

  @Column('int', { name: 'settings_version', nullable: true })
  settingsVersion!: number | null;
}
