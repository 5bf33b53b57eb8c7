import type { OtherDatabaseReason } from '../errors/other-database.error.js';
import type { Database } from './database.js';
import { InstallationEntity } from './entities/installation.entity.js';

/** Of each of our tables, what has to be allowed. */
export type NeededPrivileges = Record<string, string[]>;

type Query = <Row extends object>(sql: string, parameters?: unknown[]) => Promise<Row[]>;

/** Why nothing could be committed together through somebody else's connection; undefined: it leads to our schema. Until that is known to
 *  be readable only the catalogs are asked, by what cannot fail: in the middle of a transaction, an error would abort it. */
export async function otherDatabase(
  query: Query,
  needed: NeededPrivileges,
  database: Database,
): Promise<OtherDatabaseReason | undefined> {
  const { schema } = database;
  const pairs = Object.entries(needed).flatMap(([table, privileges]) =>
    privileges.map((privilege) => ({ table, privilege })),
  );
  // an app's own table may be called the same, but not have our columns
  const [sees] = await query<{ readable: boolean; allowed: boolean }>(
    `select coalesce(has_schema_privilege(n.oid, 'usage') and has_table_privilege(i.attrelid, 'select'), false) as readable,
            (select bool_and(coalesce(has_table_privilege(c.oid, x.privilege), false))
             from unnest($2::text[], $3::text[]) x(name, privilege)
             left join pg_class c on c.relnamespace = n.oid and c.relname = x.name and c.relkind = 'r')
            and not exists (select from pg_proc p where p.pronamespace = n.oid and not has_function_privilege(p.oid, 'execute')) as allowed
     from (values ($1)) asked(schema)
     left join pg_namespace n on n.nspname = asked.schema
     left join (pg_class t join pg_attribute i on i.attrelid = t.oid and i.attname = 'min_compatible')
       on t.relnamespace = n.oid and t.relname = 'installation' and t.relkind = 'r'`,
    [schema, pairs.map(({ table }) => table), pairs.map(({ privilege }) => privilege)],
  );
  if (!sees!.readable) return 'invisible';
  const [seen] = await query<{ id: string }>(`select id from "${schema}".installation`);
  const [own] = await database.repository(InstallationEntity).find();
  if (seen?.id !== own?.id) return 'other';
  return sees!.allowed ? undefined : 'refused';
}
