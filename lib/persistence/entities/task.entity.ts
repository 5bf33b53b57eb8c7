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

  @Column('int', { name: 'settings_version', nullable: true })
  settingsVersion!: number | null;
}
