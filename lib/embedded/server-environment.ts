/** Environment of the server and of initdb. Nothing else of ours may reach them: PGDATA, PGPORT, PGOPTIONS or a locale of
 *  the shell would change what they do, and their messages are read in English. */
export function serverEnvironment(): NodeJS.ProcessEnv {
  const { PATH, TZ, SystemRoot, TEMP } = process.env;
  return Object.fromEntries(
    Object.entries({ PATH, TZ, SystemRoot, TEMP, LC_ALL: 'C' }).filter(
      ([, value]) => value !== undefined,
    ),
  );
}
