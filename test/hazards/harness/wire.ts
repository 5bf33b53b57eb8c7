const LENGTH_BYTES = 4;

/** A message of Postgres' protocol, as it is on the wire. */
export interface Message {
  /** A letter; of what a client opens the connection with, the empty string. */
  type: string;
  bytes: Buffer;
}

/** Cuts one direction of a connection into messages. Without TLS only: it would have to be offered first. */
export class MessageReader {
  private rest: Buffer = Buffer.alloc(0);

  constructor(
    /** A client's first message has no type. */
    private opening: boolean,
  ) {}

  /** The messages that this chunk completes. */
  read(chunk: Buffer): Message[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const messages: Message[] = [];
    for (;;) {
      const typeBytes = this.opening ? 0 : 1;
      if (this.rest.length < typeBytes + LENGTH_BYTES) return messages;
      const length = typeBytes + this.rest.readInt32BE(typeBytes);
      if (this.rest.length < length) return messages;
      const bytes = this.rest.subarray(0, length);
      messages.push({ type: this.opening ? '' : String.fromCharCode(bytes[0]!), bytes });
      this.rest = this.rest.subarray(length);
      this.opening = false;
    }
  }
}

/** The text of a Parse or Query message. */
export function statementText({ type, bytes }: Message): string {
  const start = 1 + LENGTH_BYTES;
  // Parse has the statement's name before the text
  const from = type === 'P' ? bytes.indexOf(0, start) + 1 : start;
  return bytes.toString('utf8', from, bytes.indexOf(0, from));
}

/** The engine's function that a statement calls, such as `claim`; of any other its first word, such as `listen`. */
export function kindOf(text: string): string {
  return (
    /\bfrom "?\w+"?\.(\w+)\(/.exec(text)?.[1] ?? /\w+/.exec(text)?.[0].toLowerCase() ?? 'nothing'
  );
}

/** The first column of a DataRow, in its text form. */
export function firstColumn({ bytes }: Message): string | undefined {
  const start = 1 + LENGTH_BYTES + 2;
  const length = bytes.length < start + LENGTH_BYTES ? -1 : bytes.readInt32BE(start);
  if (length < 0) return undefined;
  return bytes.toString('utf8', start + LENGTH_BYTES, start + LENGTH_BYTES + length);
}
