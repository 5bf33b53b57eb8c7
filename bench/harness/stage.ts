import type { Contender } from '../scenarios/contenders.js';
import type { Place } from '../subjects/subject.js';
import { Probe } from './probe.js';
import { Redis } from './redis.js';
import type { Server } from './server.js';
import { SubjectProcess } from './subject-process.js';

/** A place for one round of one subject, with nothing in it. */
export interface Scene {
  place: Place;
  /** Another process of the subject. Whatever happens, none is left when the round is over. */
  open(): Promise<SubjectProcess>;
  /** What autovacuum would have done in a minute. */
  analyze(): Promise<void>;
}

/** Where rounds take place. */
export class Stage {
  private redis?: Promise<Redis>;

  constructor(readonly server: Server) {}

  /** @param template a database to begin with a copy of */
  async set<T>(
    { module, options, store }: Contender,
    round: (scene: Scene) => Promise<T>,
    template?: string,
  ): Promise<T> {
    const redis = store === 'redis' ? await this.emptyRedis() : undefined;
    const opened: SubjectProcess[] = [];
    return await this.server.withDatabase(async (postgres) => {
      const place = { postgres, ...(redis !== undefined && { redis: redis.port }) };
      try {
        return await round({
          place,
          async open() {
            const process = await SubjectProcess.open(module, options, place);
            opened.push(process);
            return process;
          },
          async analyze() {
            const probe = await Probe.open(postgres);
            await probe.rows('analyze');
            await probe.close();
          },
        });
      } finally {
        await Promise.all(opened.map((process) => process.kill()));
      }
    }, template);
  }

  async redisVersion(): Promise<string | undefined> {
    return await (await this.redis?.catch(() => undefined))?.version();
  }

  async close(): Promise<void> {
    const redis = await this.redis?.catch(() => undefined);
    await redis?.stop();
  }

  private async emptyRedis(): Promise<Redis> {
    const redis = await (this.redis ??= Redis.start());
    await redis.empty();
    return redis;
  }
}
