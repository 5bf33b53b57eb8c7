import { Column, CreateDateColumn, Entity, Index, PrimaryColumn } from 'typeorm';
import type { LicenceKind } from './licence.js';
import type { PackageAudit } from './totals.js';

/** The app's own table. The execution's id is the key: a body that runs twice writes one row. */
@Entity('audited_package')
export class AuditedPackage implements PackageAudit {
  @PrimaryColumn('uuid', { name: 'execution_id' })
  executionId!: string;

  @Index()
  @Column('uuid', { name: 'audit_id' })
  auditId!: string;

  @Column('text')
  path!: string;

  @Column('text')
  name!: string;

  @Column('text')
  version!: string;

  @Column('text')
  licence!: string;

  @Column('text')
  kind!: LicenceKind;

  @Column('int')
  files!: number;

  // the driver gives a bigint as a string
  @Column('bigint', { transformer: { to: (value: number) => value, from: Number } })
  bytes!: number;

  @Column('text')
  digest!: string;

  @CreateDateColumn({ name: 'audited_at', type: 'timestamptz' })
  auditedAt!: Date;
}
