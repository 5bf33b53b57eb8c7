/** A statement that lives in the database as a function, because its plan is then cached for each connection and several
 *  statements are one round trip. A function never changes in place: `settle_2` comes beside `settle`, so that workers of
 *  two versions run side by side. */
export interface SqlFunction {
  /** The `create function` text for a schema. */
  create(schema: string): string;
  /** `select * from …` with its numbered parameters. */
  call(schema: string): string;
}

interface Definition {
  name: string;
  parameters: string[];
  returns: string;
  language?: 'plpgsql' | 'sql';
  /** Settings that hold while it runs, such as `enable_seqscan = off`. */
  settings?: readonly string[];
  /** `s` is the quoted schema. */
  body: (s: string) => string;
}

export function sqlFunction({
  name,
  parameters,
  returns,
  language = 'plpgsql',
  settings = [],
  body,
}: Definition): SqlFunction {
  const numbered = parameters.map((_, index) => `$${index + 1}`).join(', ');
  const set = settings.map((setting) => `set ${setting}`).join(' ');
  return {
    create: (schema) =>
      `create function "${schema}".${name}(${parameters.join(', ')}) returns ${returns} language ${language} ${set} as $$${body(`"${schema}"`)}$$`,
    call: (schema) => `select * from "${schema}".${name}(${numbered})`,
  };
}
