import type { StandardSchemaV1 } from '@standard-schema/spec';
import { z } from 'zod';
import { parseWith } from '../../../lib/contracts/parse.js';

function schemaOf(validate: StandardSchemaV1.Props['validate']): StandardSchemaV1 {
  return { '~standard': { version: 1, vendor: 'test', validate } };
}

describe('parseWith', () => {
  it('lets everything pass where there is no schema', async () => {
    const value = { any: 'thing' };
    expect((await parseWith(undefined, value)) as { value: unknown }).toEqual({ value });
    expect(await parseWith(undefined, undefined)).toEqual({ value: undefined });
  });

  it('gives what the schema made of the value', async () => {
    const schema = z.object({ at: z.string().transform(Number), more: z.number().default(3) });
    expect(await parseWith(schema, { at: '5', stray: 1 })).toEqual({ value: { at: 5, more: 3 } });
  });

  it('waits for a schema that checks asynchronously', async () => {
    const schema = z.string().refine(async (text) => text === 'right', 'is not right');
    expect(await parseWith(schema, 'right')).toEqual({ value: 'right' });
    expect(await parseWith(schema, 'wrong')).toEqual({
      issues: [{ path: '', message: 'is not right' }],
    });
  });

  it('lists every issue with its path', async () => {
    const schema = z.object({
      items: z.array(z.object({ name: z.string() })),
      prices: z.record(z.string(), z.number('no number')),
    });
    const parsed = await parseWith(schema, {
      items: [{ name: 'a' }, { name: 1 }],
      prices: { 'a b': '1' },
    });
    expect(parsed).toEqual({
      issues: [
        { path: 'items[1].name', message: expect.any(String) },
        { path: 'prices["a b"]', message: 'no number' },
      ],
    });
  });

  it('takes segments of a path in both forms that the standard has', async () => {
    const path = [{ key: 'items' }, 0, { key: Symbol('mark') }];
    const schema = schemaOf(() => ({ issues: [{ message: 'bad', path }, { message: 'worse' }] }));
    expect(await parseWith(schema, 1)).toEqual({
      issues: [
        { path: 'items[0][Symbol(mark)]', message: 'bad' },
        { path: '', message: 'worse' },
      ],
    });
  });

  it('takes any list of issues for a refusal, and none for success', async () => {
    expect(
      await parseWith(
        schemaOf(() => ({ issues: [] })),
        1,
      ),
    ).toEqual({ issues: [] });
    const passed = schemaOf((value) => ({ value, issues: undefined }));
    expect(await parseWith(passed, 1)).toEqual({ value: 1 });
  });

  it('rejects with what a broken schema throws', async () => {
    const broken = schemaOf(() => {
      throw new Error('broken schema');
    });
    await expect(parseWith(broken, 1)).rejects.toThrow('broken schema');
  });
});
