import { OptionReader } from './common/option-reader.js';
import { shown } from './common/shown.js';
import type { ConnectionOptions } from './interfaces/module-options.js';

const POOL_SIZE = 5;

const FORMS = 'give { url }, { host, user, password, database } or { dataSource }';

/** What identifies each form, and what else belongs to it. */
const forms = {
  url: ['url', 'ssl', 'poolSize'],
  dataSource: ['dataSource', 'poolSize'],
  database: ['host', 'port', 'user', 'password', 'database', 'ssl', 'poolSize'],
} as const;

/** Reads where the database is; notes every problem with the reader's others. Neither url nor password appear in messages. */
export function readConnection(options: OptionReader): {
  connection: ConnectionOptions;
  poolSize: number;
} {
  if (!options.has('connection')) options.fail('connection', `is missing: ${FORMS}`);
  const reader = options.nested('connection');
  if (reader !== undefined) checkForm(reader);
  const poolSize = reader?.integer(
    'poolSize',
    2,
    100,
    'while one connection installs the schema, another sees what it waits for',
  );
  const { poolSize: _, ...connection } = { ...reader?.given };
  return {
    connection: connection as unknown as ConnectionOptions,
    poolSize: poolSize ?? POOL_SIZE,
  };
}

function checkForm(reader: OptionReader): void {
  const given = Object.keys(forms).filter((name) => name in reader.given) as (keyof typeof forms)[];
  const [form] = given;
  if (form === undefined) {
    reader.fail('database', `is missing: ${FORMS}`);
    return;
  }
  if (given.length > 1) {
    reader.problems.push(
      `connection has ${given.join(' and ')}, which exclude each other: ${FORMS}`,
    );
    return;
  }
  reader.onlyKnown(forms[form]);
  if (form === 'url') checkUrl(reader);
  else requireText(reader, form);
  for (const key of ['host', 'user']) if (reader.has(key)) requireText(reader, key);
  if (reader.has('password') && typeof reader.given.password !== 'string') {
    reader.fail('password', 'must be a string');
  }
  reader.integer('port', 1, 65_535);
  checkSsl(reader);
}

function checkUrl(reader: OptionReader): void {
  const { url } = reader.given;
  if (typeof url !== 'string' || url === '') return requireText(reader, 'url');
  if (!/^postgres(ql)?:\/\//i.test(url)) {
    reader.fail('url', 'must begin with postgres:// or postgresql://');
  } else if (!URL.canParse(url)) {
    reader.fail(
      'url',
      'cannot be read: write postgres://user:password@host:5432/database, with characters such as / ? # @ in the password ' +
        'percent-encoded',
    );
  }
}

function requireText(reader: OptionReader, key: string): void {
  const value = reader.given[key];
  if (typeof value === 'string' && value !== '') return;
  const hint =
    value === undefined ? '; is the environment variable set, and read before this?' : '';
  reader.fail(key, `must be a string that is not empty, and is ${shown(value)}${hint}`);
}

function checkSsl(reader: OptionReader): void {
  const { ssl } = reader.given;
  if (ssl === undefined || typeof ssl === 'boolean') return;
  if (typeof ssl === 'object' && ssl !== null && !Array.isArray(ssl)) return;
  reader.fail('ssl', `must be true, false or the options of a TLS socket, and is ${shown(ssl)}`);
}
