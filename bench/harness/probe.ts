import pg from 'pg';

/** A connection beside the subject's own, to look at what it has stored. */
export class Probe {
  private constructor(private readonly client: pg.Client) {}

  static async open(url: string): Promise<Probe> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return new Probe(client);
  }

  /** The first column of the first row. */
  async ask<T>(sql: string, values: unknown[] = []): Promise<T> {
    const { rows } = await this.client.query<unknown[]>({ text: sql, values, rowMode: 'array' });
    return rows[0]?.[0] as T;
  }

  async rows<Row>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.client.query(sql, values)).rows as Row[];
  }

  async close(): Promise<void> {
    await this.client.end();
  }
}
