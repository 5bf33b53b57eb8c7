import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { ReadRate } from './read-rate.js';

export interface Content {
  files: number;
  bytes: number;
  /** SHA-512 over the digests and names of all files. */
  digest: string;
}

/** Reads every file of a package; packages nested in it are not its own files. */
export async function hashFiles(folder: string, rate?: ReadRate): Promise<Content> {
  const whole = createHash('sha512');
  let bytes = 0;
  const files = (await filesIn(folder)).toSorted();
  for (const file of files) {
    const digest = createHash('sha512');
    for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
      await rate?.take(chunk.length);
      digest.update(chunk);
      bytes += chunk.length;
    }
    whole.update(`${digest.digest('hex')}  ${relative(folder, file)}\n`);
  }
  return { files: files.length, bytes, digest: whole.digest('hex') };
}

async function filesIn(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isFile()) files.push(path);
    else if (entry.isDirectory() && entry.name !== 'node_modules') {
      files.push(...(await filesIn(path)));
    }
  }
  return files;
}
