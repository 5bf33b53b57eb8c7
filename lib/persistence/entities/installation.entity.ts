import { Column, Entity, PrimaryColumn } from 'typeorm';

/** The one row that tells which schema this is, and which code may work with it. */
@Entity({ name: 'installation', synchronize: false })
export class InstallationEntity {
  @PrimaryColumn('uuid')
  id!: string;

  @Column('int')
  version!: number;

  @Column('int', { name: 'min_compatible' })
  minCompatible!: number;
}
