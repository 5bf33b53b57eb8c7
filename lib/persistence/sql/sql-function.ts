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
  /** Settings of the planner that hold while it runs. */
  planning?: readonly string[];
  /** `s` is the quoted schema. */
  body: (s: string) => string;
}

/** A session may have planned a statement while the table was empty, and goes on reading all of it until the next analyze: a claim of
 *  100 among 100,000 took 114 ms instead of 4. */
export const onlyIndexes = 'enable_seqscan = off';

/** For what takes arrays: with a plan for its own arrays in each call, planning takes longer than all else of a small set. */
export const plannedOnce = [onlyIndexes, 'plan_cache_mode = force_generic_plan'];

export function sqlFunction({
  name,
  parameters,
  returns,
  language = 'plpgsql',
  planning = [],
  body,
}: Definition): SqlFunction {
  const numbered = parameters.map((_, index) => `$${index + 1}`).join(', ');
  const set = planning.map((setting) => `set ${setting}`).join(' ');
  return {
    create: (schema) =>
      `create function "${schema}".${name}(${parameters.join(', ')}) returns ${returns} language ${language} ${set} as $$${body(`"${schema}"`)}$$`,
    call: (schema) => `select * from "${schema}".${name}(${numbered})`,
  };
}
