import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'queue', synchronize: false })
export class QueueEntity {
  @PrimaryColumn('int')
  id!: number;

  @Column('text')
  name!: string;
}
