import { Inject, Injectable, Module } from '@nestjs/common';
import { Conductor, InvalidTaskError, Task, type TaskContext } from '../../lib/index.js';
import { testApps } from '../support/test-app.js';

@Injectable()
class Config {
  constructor(@Inject('ENV') private readonly env: Record<string, string>) {}
  get(key: string): string {
    return this.env[key]!;
  }
}
@Module({
  providers: [
    Config,
    { provide: 'ENV', useValue: { ATTEMPTS: '4', PRIORITY: '9', TIMEOUT: '3m' } },
  ],
  exports: [Config],
})
class ConfigModule {}

describe('a task’s options that are made of injected providers', () => {
  const apps = testApps();

  it('are what its executions are run by, here and for clients that know only its name', async () => {
    const attempts: number[] = [];
    @Injectable()
    class Tasks {
      @Task('flaky', {
        retry: {
          inject: [Config],
          useFactory: async (config: Config) => ({
            maxAttempts: Number(config.get('ATTEMPTS')),
            backoff: { type: 'fixed' as const, delay: 0 },
          }),
        },
        priority: {
          inject: [Config],
          useFactory: (config: Config) => Number(config.get('PRIORITY')),
        },
      })
      flaky(_event: unknown, ctx: TaskContext) {
        attempts.push(ctx.attempt);
        throw new Error('always');
      }
      @Task('limited', {
        retry: { maxAttempts: 1 },
        inject: [Config],
        useFactory: (config: Config) => ({ timeout: config.get('TIMEOUT'), deadline: '1h' }),
      })
      limited(_event: unknown, { signal }: TaskContext) {
        return signal.aborted;
      }
    }
    await apps.start({ providers: [Tasks], modules: [ConfigModule] });
    const { app } = await apps.start({ role: 'client' });
    const conductor = app.get(Conductor);
    const flaky = await conductor.invoke({ name: 'flaky' });
    await expect(flaky.result({ timeout: '20s' })).rejects.toThrow('always');
    expect(attempts).toEqual([1, 2, 3, 4]);
    await expect(conductor.get(flaky.id)).resolves.toMatchObject({ priority: 9 });
    await expect(conductor.invokeAndWait({ name: 'limited' }, 0, { timeout: '20s' })).resolves.toBe(
      false,
    );
    await expect(
      apps.database.query(
        `select name, priority, deadline_ms::int from conductor.task order by name`,
      ),
    ).resolves.toEqual([
      { name: 'flaky', priority: 9, deadline_ms: null },
      { name: 'limited', priority: 0, deadline_ms: 3_600_000 },
    ]);
  });

  it('fail the boot with the handler’s name where a provider is missing', async () => {
    @Injectable()
    class Tasks {
      @Task('x', { timeout: { inject: [Config], useFactory: (config: Config) => config.get('T') } })
      handle() {}
    }
    const error = await apps.start({ providers: [Tasks] }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidTaskError);
    expect((error as Error).message).toMatch(
      /^Tasks\.handle cannot[\s\S]*timeout\.inject: Config is not a provider of any module/,
    );
  });
});
