import { Exclude, Transform, Type } from 'class-transformer';
import {
  Allow,
  IsArray,
  IsDate,
  IsInt,
  IsOptional,
  IsString,
  Min,
  ValidateBy,
  ValidateNested,
} from 'class-validator';
import { DtoSchema, isDtoSchema } from '../../../lib/contracts/dto-schema.js';
import { parseWith, type Parsed } from '../../../lib/contracts/parse.js';
import { InvalidTaskError } from '../../../lib/errors/invalid-task.error.js';
import { SerializationError } from '../../../lib/errors/serialization.error.js';

class Address {
  @IsString()
  street!: string;

  label() {
    return this.street.toUpperCase();
  }
}

class Line {
  @IsString()
  sku!: string;

  @IsInt()
  @Min(1)
  count!: number;
}

class Order {
  @IsString()
  id!: string;

  @ValidateNested()
  @Type(() => Address)
  address!: Address;

  @IsArray()
  @ValidateNested({ each: true })
  @Type(() => Line)
  lines!: Line[];

  @IsOptional()
  @IsString()
  @Transform(({ value }) => (value as string).trim())
  note?: string;

  get size() {
    return this.lines.length;
  }

  isLarge() {
    return this.size > 10;
  }
}

const good = { id: 'a', address: { street: 's' }, lines: [{ sku: 'x', count: 2 }] };
const payload = (dto: new () => object) => new DtoSchema(dto, 'payload', 'defineTask("t")');
const result = (dto: new () => object) => new DtoSchema(dto, 'returns', 'defineTask("t")');
const valueOf = (parsed: Parsed) => {
  expect(parsed.issues).toBeUndefined();
  return (parsed as { value: unknown }).value;
};

describe('a DTO as a payload', () => {
  it('becomes an instance, and so do its parts', async () => {
    const order = valueOf(await parseWith(payload(Order), good)) as Order;
    expect(order).toBeInstanceOf(Order);
    expect(order.isLarge()).toBe(false);
    expect(order.address).toBeInstanceOf(Address);
    expect(order.address.label()).toBe('S');
    expect(order.lines[0]).toBeInstanceOf(Line);
    expect(order).toMatchObject(good);
  });

  it('X8 is refused with every problem and its path, in nested objects and lists as well', async () => {
    const parsed = await parseWith(payload(Order), {
      id: 1,
      address: { street: 2 },
      lines: [{ sku: 'x', count: 1 }, { sku: 3, count: 0 }, 7],
      note: 'fine',
    });
    expect(parsed.issues).toEqual([
      { path: 'id', message: 'id must be a string' },
      { path: 'address.street', message: 'street must be a string' },
      { path: 'lines[1].sku', message: 'sku must be a string' },
      { path: 'lines[1].count', message: 'count must not be less than 1' },
      { path: 'lines[2]', message: expect.stringContaining('must be either object or array') },
    ]);
  });

  it('lists all the problems of one property', async () => {
    const parsed = await parseWith(payload(Line), { sku: 'x', count: 'many' });
    expect(parsed.issues).toEqual([
      { path: 'count', message: 'count must not be less than 1' },
      { path: 'count', message: 'count must be an integer number' },
    ]);
  });

  it.each([[undefined], [null], ['text'], [7], [[good]], [new Date()], [new Map()], [() => good]])(
    'must be an object, and is not %p',
    async (value) => {
      expect(await parseWith(payload(Order), value)).toEqual({
        issues: [{ path: '', message: 'must be an object with the data of Order' }],
      });
    },
  );

  it('keeps what the class does not declare, as ValidationPipe does unless it is told otherwise', async () => {
    const parsed = valueOf(
      await parseWith(payload(Line), { sku: 'x', count: 1, more: { deep: 1 } }),
    );
    expect({ ...(parsed as object) }).toEqual({ sku: 'x', count: 1, more: { deep: 1 } });
  });

  it('cannot be given a method, a constructor or another prototype by what it is made of', async () => {
    const hostile = JSON.parse(
      '{"street":"s","label":"no method","constructor":1,"__proto__":{"polluted":true}}',
    ) as object;
    const address = valueOf(await parseWith(payload(Address), hostile)) as Address;
    expect(address).toBeInstanceOf(Address);
    expect(address.constructor).toBe(Address);
    expect(address.label()).toBe('S');
    expect(address).not.toHaveProperty('polluted');
  });

  it('applies a transformation once, and to a copy', async () => {
    class Circle {
      @IsInt()
      radius!: number;
    }
    class Square {
      @IsInt()
      side!: number;
    }
    class Drawing {
      @ValidateNested({ each: true })
      @Type(() => Object, {
        discriminator: {
          property: 'kind',
          subTypes: [
            { name: 'circle', value: Circle },
            { name: 'square', value: Square },
          ],
        },
      })
      shapes!: (Circle | Square)[];
    }
    const input = {
      shapes: [
        { kind: 'square', side: 1 },
        { kind: 'circle', radius: 2 },
      ],
    };
    const drawing = valueOf(await parseWith(payload(Drawing), input)) as Drawing;
    expect(drawing.shapes[0]).toBeInstanceOf(Square);
    expect(drawing.shapes[1]).toBeInstanceOf(Circle);
    // class-transformer deletes the discriminator from what it reads
    expect(input.shapes[0]).toEqual({ kind: 'square', side: 1 });
  });

  it('is refused where a transformation throws: it met a payload that it was not made for', async () => {
    expect(await parseWith(payload(Order), { ...good, note: 7 })).toEqual({
      issues: [
        { path: '', message: expect.stringMatching(/cannot be made an instance of Order: .*trim/) },
      ],
    });
  });

  it('waits for rules that check asynchronously, and rejects where one cannot answer', async () => {
    let answer: () => Promise<boolean>;
    class Named {
      @ValidateBy({
        name: 'isKnown',
        async: true,
        validator: { validate: () => answer(), defaultMessage: () => 'is not known' },
      } as never)
      name!: string;
    }
    answer = async () => false;
    expect((await parseWith(payload(Named), { name: 'a' })).issues).toEqual([
      { path: 'name', message: 'is not known' },
    ]);
    answer = async () => true;
    expect((await parseWith(payload(Named), { name: 'a' })).issues).toBeUndefined();
    answer = () => Promise.reject(new Error('no connection'));
    await expect(parseWith(payload(Named), { name: 'a' })).rejects.toThrow('no connection');
  });

  it('that inherits all its rules is a DTO', async () => {
    class Named extends Line {}
    expect((await parseWith(payload(Named), { sku: 1, count: 1 })).issues).toHaveLength(1);
    expect(valueOf(await parseWith(payload(Named), { sku: 'x', count: 1 }))).toBeInstanceOf(Named);
  });

  it('refuses a part that nothing would check', async () => {
    class Loose {
      @ValidateNested()
      part!: { deep: number };
    }
    expect((await parseWith(payload(Loose), { part: { deep: 1 } })).issues).toEqual([
      { path: 'part', message: expect.stringMatching(/would not be checked.*@Type/) },
    ]);
  });

  it('refuses a cycle with its path, and what is nested without end', async () => {
    const cyclic = { sku: 'x', count: 1, more: [{}] as object[] };
    cyclic.more[0] = { back: cyclic };
    const refused = parseWith(payload(Line), cyclic);
    await expect(refused).rejects.toBeInstanceOf(SerializationError);
    await expect(refused).rejects.toThrow('more[0].back refers back');
    let deep: object = {};
    for (let i = 0; i < 5_000; i += 1) deep = { deep };
    await expect(parseWith(payload(Line), deep)).rejects.toThrow('200 levels');
  });
});

describe('a class without rules', () => {
  class Plain {
    id!: string;
  }

  it.each([[Plain], [String], [Date], [Object]])(
    '%p would let anything pass, and is refused',
    async (dto) => {
      for (const schema of [payload(dto), result(dto)]) {
        expect(await schema.problem()).toMatch(/has no decorator of class-validator/);
        await expect(parseWith(schema, { id: 'a' })).rejects.toBeInstanceOf(InvalidTaskError);
      }
      await expect(parseWith(result(dto), {})).rejects.toThrow(
        new RegExp(`defineTask\\("t"\\)[^]*returns is the class ${dto.name}`),
      );
    },
  );

  it('is one with @Allow() alone', async () => {
    class Free {
      @Allow()
      anything: unknown;
    }
    expect(await payload(Free).problem()).toBeUndefined();
    expect(await payload(Order).problem()).toBeUndefined();
  });
});

describe('a DTO as a result', () => {
  it('is checked, and becomes data without methods, with what its getters give', async () => {
    const order = valueOf(await parseWith(payload(Order), { ...good, note: ' x ' }));
    const data = valueOf(await parseWith(result(Order), order)) as Order;
    expect(Object.getPrototypeOf(data)).toBe(Object.prototype);
    expect(Object.getPrototypeOf(data.address)).toBe(Object.prototype);
    expect(data).toStrictEqual({ ...good, note: 'x', size: 1 });
    expect((await parseWith(result(Order), { ...good, id: 1 })).issues).toEqual([
      { path: 'id', message: 'id must be a string' },
    ]);
  });

  it('lacks what class-transformer excludes', async () => {
    class User {
      @IsString()
      name!: string;

      @Exclude()
      password?: string;
    }
    expect(
      valueOf(await parseWith(result(User), { name: 'Ada', password: 'secret' })),
    ).toStrictEqual({ name: 'Ada' });
  });
});

describe('what is stored of a DTO', () => {
  class Made {
    @IsDate()
    @Type(() => Date)
    at!: Date;

    @IsInt()
    seen = 0;

    @IsOptional()
    @ValidateNested({ each: true })
    @Type(() => Address)
    addresses?: Address[];

    @Allow()
    meta?: unknown;

    get year() {
      return this.at.getUTCFullYear();
    }
  }
  const input = { at: '2026-11-24T00:00:00Z', addresses: [{ street: 'a' }, { street: 'b' }] };

  it('is the data of the instance, without undefined fields', async () => {
    const schema = payload(Made);
    const made = valueOf(await parseWith(schema, input)) as Made;
    made.meta = undefined;
    expect(await schema.dataOf(made)).toStrictEqual({
      seen: 0,
      at: new Date('2026-11-24T00:00:00Z'),
      addresses: [{ street: 'a' }, { street: 'b' }],
    });
  });

  it('is the data of an instance that a caller passes, and leaves other instances to the codec', async () => {
    class Money {
      constructor(readonly cents: number) {}
      toString() {
        return `${this.cents} ct`;
      }
    }
    const meta = { price: new Money(3), at: new Date(0), tags: new Set(['a']), none: null };
    const passed = Object.assign(new Address(), { street: 's', meta });
    const data = (await payload(Address).dataOf(passed)) as { meta: typeof meta };
    expect(data).toStrictEqual({ street: 's', meta });
    expect(data.meta.price).toBe(meta.price);
  });

  it('becomes the instances again that it was, with the recorded values and no new ones', async () => {
    const schema = payload(Made);
    const recorded = { at: new Date(5), seen: 7, addresses: [{ street: 'A' }], meta: { x: [1] } };
    const made = (await schema.restore(recorded, input)) as Made;
    expect(made).toBeInstanceOf(Made);
    expect(made.addresses![0]).toBeInstanceOf(Address);
    expect(made.addresses![0]!.label()).toBe('A');
    expect(await schema.dataOf(made)).toStrictEqual(recorded);
    expect(made.year).toBe(1970);
  });

  it('lacks on its return what was not recorded', async () => {
    const schema = payload(Made);
    const made = (await schema.restore({ at: new Date(5) }, { ...input, meta: 1 })) as Made;
    expect(await schema.dataOf(made)).toStrictEqual({ at: new Date(5) });
  });

  it('keeps at least its class when what it was parsed from can no longer be read', async () => {
    const made = await payload(Order).restore({ id: 'a', lines: [] }, { note: 7 });
    expect(made).toBeInstanceOf(Order);
    expect(made).toMatchObject({ id: 'a', size: 0 });
  });
});

it('isDtoSchema tells it from other schemas and from nothing', () => {
  expect(isDtoSchema(payload(Order))).toBe(true);
  for (const other of [undefined, {}, { '~standard': { version: 1, vendor: 'zod' } }]) {
    expect(isDtoSchema(other)).toBe(false);
  }
});
