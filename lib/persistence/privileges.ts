import type { EntityManager } from 'typeorm';
import { MissingPrivilegeError } from '../errors/missing-privilege.error.js';

/** What the process is to do with the tables: `work` claims and settles, `ask` invokes and reads. */
export type Purpose = 'work' | 'ask';

const everyTable = [
  'cancellation',
  'execution',
  'failure',
  'installation',
  'migration',
  'outcome',
  'queue',
  'rerun',
  'run',
  'step',
  'task',
  'worker',
];

/** By privilege, the tables that need it. A worker is given all of them, so that the next version's worker has what it needs. */
const needs: Record<Purpose, Record<string, string[]>> = {
  work: { SELECT: everyTable, INSERT: everyTable, UPDATE: everyTable, DELETE: everyTable },
  ask: {
    SELECT: everyTable.filter((table) => table !== 'worker'),
    INSERT: ['cancellation', 'execution', 'outcome', 'queue', 'rerun', 'run', 'step', 'task'],
    UPDATE: ['run'],
    DELETE: ['run'], // what is cancelled before it runs
  },
};

interface Rights {
  role: string;
  database: string;
  schemaExists: boolean;
  mayMakeSchemas: boolean;
  mayUse: boolean;
  mayCreate: boolean;
  /** Of the tables, where there are any. */
  owner: string | null;
  isOwner: boolean | null;
}

/** Postgres tells only the first privilege that is missing, and not what helps. So they are looked up before they are needed; the
 *  catalogs can be read by any role. */
export class Privileges {
  private constructor(
    private readonly manager: EntityManager,
    private readonly schema: string,
    private readonly rights: Rights,
  ) {}

  static async read(manager: EntityManager, schema: string): Promise<Privileges> {
    const [rights] = await manager.query<[Rights]>(
      `select current_user as role, current_database() as database, n.oid is not null as "schemaExists",
              has_database_privilege(current_database(), 'create') as "mayMakeSchemas",
              coalesce(has_schema_privilege(n.oid, 'usage'), false) as "mayUse",
              coalesce(has_schema_privilege(n.oid, 'create'), false) as "mayCreate",
              pg_get_userbyid(m.relowner) as owner, pg_has_role(m.relowner, 'usage') as "isOwner"
       from (values ($1)) asked(schema)
       left join pg_namespace n on n.nspname = asked.schema
       left join (pg_class m join pg_attribute a on a.attrelid = m.oid and a.attname = 'min_compatible')
         on m.relnamespace = n.oid and m.relname = 'installation' and m.relkind = 'r'`,
      [schema],
    );
    return new Privileges(manager, schema, rights);
  }

  /** Whether the tables are there. An app's own may be called the same, but not have our columns. */
  get isInstalled(): boolean {
    return this.rights.owner !== null;
  }

  /** @throws MissingPrivilegeError */
  assertMayMigrate(): void {
    const { role, database, schemaExists, mayMakeSchemas, mayUse, mayCreate, owner, isOwner } =
      this.rights;
    if (!schemaExists) {
      if (mayMakeSchemas) return;
      throw new MissingPrivilegeError(
        role,
        [`CREATE on the database "${database}", in which there is no schema "${this.schema}" yet`],
        [`GRANT CREATE ON DATABASE "${database}" TO "${role}"`],
      );
    }
    if (isOwner === false) {
      throw new MissingPrivilegeError(
        role,
        [
          `the role "${owner}", which owns the tables of "${this.schema}" and alone may upgrade them`,
        ],
        [`GRANT "${owner}" TO "${role}"`],
      );
    }
    if (mayUse && mayCreate) return;
    throw new MissingPrivilegeError(
      role,
      [`USAGE and CREATE on the schema "${this.schema}"`],
      [`GRANT USAGE, CREATE ON SCHEMA "${this.schema}" TO "${role}"`],
    );
  }

  /** @throws MissingPrivilegeError that lists all of them */
  async assertMayUse(purpose: Purpose): Promise<void> {
    const { role, mayUse, owner } = this.rights;
    const missing: string[] = [];
    const grants: string[] = [];
    if (!mayUse) {
      missing.push(`USAGE on the schema "${this.schema}"`);
      grants.push(`GRANT USAGE ON SCHEMA "${this.schema}" TO "${role}"`);
    }
    for (const { privilege, tables } of await this.missingOnTables(purpose)) {
      missing.push(`${privilege} on ${tables.join(', ')}`);
      const names = tables.map((table) => `"${this.schema}".${table}`);
      grants.push(`GRANT ${privilege} ON ${names.join(', ')} TO "${role}"`);
    }
    if (await this.mayNotExecute()) {
      missing.push(`EXECUTE on the functions of "${this.schema}"`);
      grants.push(`GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA "${this.schema}" TO "${role}"`);
    }
    if (missing.length === 0) return;
    if (purpose === 'work' && grants.some((grant) => !grant.startsWith('GRANT USAGE'))) {
      // what a later version adds would be missing again
      grants.push(
        `ALTER DEFAULT PRIVILEGES FOR ROLE "${owner}" IN SCHEMA "${this.schema}" GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO "${role}"`,
      );
    }
    throw new MissingPrivilegeError(role, missing, grants);
  }

  private async missingOnTables(
    purpose: Purpose,
  ): Promise<{ privilege: string; tables: string[] }[]> {
    const asked = Object.entries(needs[purpose]).flatMap(([privilege, tables]) =>
      tables.map((table) => ({ privilege, table })),
    );
    return await this.manager.query<{ privilege: string; tables: string[] }[]>(
      `select a.privilege, array_agg(c.relname::text order by c.relname) as tables
       from unnest($2::text[], $3::text[]) a(privilege, name)
       join pg_class c on c.relname = a.name and c.relkind = 'r'
       join pg_namespace n on n.oid = c.relnamespace and n.nspname = $1
       where not has_table_privilege(c.oid, a.privilege)
       group by a.privilege order by a.privilege`,
      [this.schema, asked.map(({ privilege }) => privilege), asked.map(({ table }) => table)],
    );
  }

  private async mayNotExecute(): Promise<boolean> {
    const rows = await this.manager.query<unknown[]>(
      `select 1 from pg_proc p join pg_namespace n on n.oid = p.pronamespace
       where n.nspname = $1 and not has_function_privilege(p.oid, 'execute') limit 1`,
      [this.schema],
    );
    return rows.length > 0;
  }
}
