import { Injectable, Module, Scope } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { plainOptions } from '../../../lib/discovery/task-settings.js';

@Injectable()
class Config {
  readonly attempts = 7;
}
@Injectable({ scope: Scope.REQUEST })
class PerRequest {}
@Injectable({ scope: Scope.TRANSIENT })
class Transient {}
@Module({ providers: [Config, PerRequest, Transient, { provide: 'DELAY', useValue: '5s' }] })
class ConfigModule {}

describe('options of a task that are made by factories', () => {
  let app: TestingModule;
  const plain = async (given: unknown) => {
    const problems: string[] = [];
    return { options: await plainOptions(given, app.get(ModuleRef), problems), problems };
  };

  beforeAll(async () => {
    app = await Test.createTestingModule({ imports: [ConfigModule] }).compile();
  });
  afterAll(() => app.close());

  it('become their values, of providers of any module, at once or later', async () => {
    const { options, problems } = await plain({
      priority: 3,
      timeout: { inject: ['DELAY'], useFactory: (delay: string) => delay },
      retry: {
        inject: [Config, Transient, { token: 'NOWHERE', optional: true }],
        useFactory: async ({ attempts }: Config, transient: unknown, nothing: unknown) => ({
          maxAttempts: attempts,
          seen: [transient instanceof Transient, nothing],
        }),
      },
      version: { useFactory: () => undefined },
    });
    expect(problems).toEqual([]);
    expect(options).toEqual({
      priority: 3,
      timeout: '5s',
      retry: { maxAttempts: 7, seen: [true, undefined] },
      version: undefined,
    });
  });

  it('are called once each', async () => {
    let calls = 0;
    await plain({ priority: { useFactory: () => (calls += 1) } });
    expect(calls).toBe(1);
  });

  it('stand over those beside them where they are made together', async () => {
    const { options } = await plain({
      priority: 3,
      timeout: '1m',
      inject: [Config],
      useFactory: async ({ attempts }: Config) => ({ priority: attempts }),
    });
    expect(options).toEqual({ priority: 7, timeout: '1m' });
  });

  it('leave what is no object as it is, for others to judge', async () => {
    await expect(plain('fast')).resolves.toEqual({ options: 'fast', problems: [] });
    await expect(plain(undefined)).resolves.toMatchObject({ options: undefined });
    // a class's own way of saying nothing of factories
    const backoff = { backoff: () => 1 };
    await expect(plain({ retry: backoff })).resolves.toMatchObject({ options: { retry: backoff } });
  });

  it.each<[Record<string, unknown>, RegExp]>([
    [
      { retry: { inject: ['NOWHERE'], useFactory: () => ({}) } },
      /^retry\.inject: NOWHERE is not a provider of any module/,
    ],
    [
      { inject: ['NOWHERE'], useFactory: () => ({}) },
      /^inject: NOWHERE is not a provider of any module/,
    ],
    [
      { retry: { inject: [PerRequest], useFactory: () => ({}) } },
      /^retry\.inject: PerRequest is request-scoped.*once, at boot/,
    ],
    [
      {
        timeout: {
          useFactory: () => {
            throw new Error('TIMEOUT is not set');
          },
        },
      },
      /^timeout\.useFactory threw: TIMEOUT is not set$/,
    ],
    [{ useFactory: () => Promise.reject('nothing') }, /^useFactory threw: nothing$/],
    [{ useFactory: () => 5 }, /^useFactory must return an object of options, and returned 5/],
    [{ timeout: { inject: [Config] } }, /^timeout\.useFactory must be a function that returns/],
    [{ inject: [Config] }, /^useFactory must be a function that returns options/],
    [{ timeout: { useFactory: () => 1, inject: Config } }, /^timeout\.inject must be an array/],
    [{ timeout: { useFactory: () => 1, inject: [undefined] } }, /nothing at index 0/],
    [{ timeout: { useFactory: () => 1, injects: [] } }, /unknown option timeout\.injects/],
    [{ retry: { useFactory: () => ({}), maxAttempts: 3 } }, /unknown option retry\.maxAttempts/],
  ])('refuse %j', async (given, problem) => {
    const { problems } = await plain({ priority: 1, ...given });
    expect(problems).toEqual([expect.stringMatching(problem)]);
  });
});
