import { DatabaseUrlError } from './errors/database-url.error.js';

/** Server and database of a connection url, fit for a log: no user, no password, no parameters.
 *  @throws DatabaseUrlError */
export function describeUrl(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url === undefined || !['postgres:', 'postgresql:'].includes(url.protocol)) {
    throw new DatabaseUrlError();
  }
  // an unescaped / or # in the password ends the host early: the rest of the password would be taken for a database
  if (url.username === '' && `${url.pathname}${url.hash}`.includes('@')) {
    throw new DatabaseUrlError();
  }
  const database = url.pathname.slice(1);
  return `${url.host || 'a local socket'}${database === '' ? '' : `, database "${database}"`}`;
}
