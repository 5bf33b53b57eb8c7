import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const READY_WITHIN_MS = 10_000;

/** It ends when its input does: with this process, however that ends. */
const GUARDED =
  'command -v redis-server >/dev/null || exit 127; redis-server "$@" & server=$!; cat >/dev/null; kill $server; wait $server';

/** A Redis of our own, on this machine only, whose writes are on disk before they are acknowledged. */
export class Redis {
  private constructor(
    private readonly child: ChildProcess,
    private readonly directory: string,
    readonly port: number,
  ) {}

  /** @throws Error where this machine has no redis-server */
  static async start(): Promise<Redis> {
    const directory = mkdtempSync(join(tmpdir(), 'conductor-bench-redis-'));
    const port = await freePort();
    const settings = {
      bind: '127.0.0.1',
      port: `${port}`,
      dir: directory,
      appendonly: 'yes',
      appendfsync: 'always',
      save: '',
    };
    const child = spawn(
      '/bin/sh',
      [
        '-c',
        GUARDED,
        'sh',
        ...Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
      ],
      { stdio: ['pipe', 'ignore', 'ignore'] },
    );
    const redis = new Redis(child, directory, port);
    const failed = new Promise<never>((_, reject) => {
      child.once('error', reject);
      child.once('exit', () => reject(new Error('there is no redis-server on this machine')));
    });
    try {
      await Promise.race([failed, redis.ready()]);
    } catch (error) {
      await redis.stop();
      throw error;
    }
    failed.catch(() => undefined); // its end, later
    return redis;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode === null) {
      const ended = once(this.child, 'exit');
      this.child.stdin!.end();
      await ended;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  async empty(): Promise<void> {
    await this.command('FLUSHALL');
  }

  async version(): Promise<string> {
    return /redis_version:(\S+)/.exec(await this.command('INFO server'))?.[1] ?? 'unknown';
  }

  private async ready(): Promise<void> {
    const until = performance.now() + READY_WITHIN_MS;
    for (;;) {
      try {
        await this.command('PING');
        return;
      } catch (error) {
        if (performance.now() > until) throw error;
        await sleep(20);
      }
    }
  }

  /** Redis takes plain lines as well as its protocol. */
  private async command(line: string): Promise<string> {
    const socket = connect(this.port, '127.0.0.1');
    socket.end(`${line}\r\n`);
    let reply = '';
    for await (const chunk of socket) reply += String(chunk);
    return reply;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}
