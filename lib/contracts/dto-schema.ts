import type { StandardSchemaV1 } from '@standard-schema/spec';
import { InvalidTaskError } from '../errors/invalid-task.error.js';
import type { DtoClass } from './dto-class.js';
import { copyData, dressData, isFields, type CopyOptions } from './dto-data.js';
import { loadDtoPackages, type DtoError, type DtoPackages } from './dto-packages.js';

const VENDOR = 'nest-conductor';

/**
 * A DTO class as a schema. It checks as `new ValidationPipe({ transform: true })` does, and lists every problem: properties that
 * the class does not declare are kept. Unlike the pipe it refuses what nothing would check: a class without rules, and a
 * nested object whose class is not known.
 *
 * As a payload it gives an instance; as a result, which is stored, the instance's data.
 */
export class DtoSchema implements StandardSchemaV1 {
  readonly '~standard': StandardSchemaV1.Props;
  private packages?: Promise<DtoPackages>;

  constructor(
    private readonly dto: DtoClass,
    private readonly use: 'payload' | 'returns',
    /** Where it is written, for messages: the call of `defineTask`. */
    private readonly source: string,
  ) {
    this['~standard'] = { version: 1, vendor: VENDOR, validate: (value) => this.parse(value) };
  }

  /** What only the packages can tell: whether the class has a rule. The rest of a sentence that begins with the place.
   *  @throws MissingPackageError */
  async problem(): Promise<string | undefined> {
    const { hasRules } = await this.load();
    return hasRules(this.dto) ? undefined : this.withoutRules();
  }

  /** The data of a value, which may be or contain instances of DTOs: what is stored of it. */
  async dataOf(value: unknown): Promise<unknown> {
    return copyData(value, this.copying(await this.load()));
  }

  /** An instance with the data that was recorded of one. Nothing is checked or transformed again.
   *  @param input what it was parsed from; tells the classes of its parts */
  async restore(recorded: unknown, input: unknown): Promise<unknown> {
    const packages = await this.load();
    return dressData(recorded, this.shapeOf(input, packages));
  }

  private shapeOf(input: unknown, { toInstance }: DtoPackages): object {
    try {
      return toInstance(this.dto, input as object);
    } catch {
      return Object.create(this.dto.prototype as object) as object; // the class changed meanwhile: its root is known
    }
  }

  private async parse(value: unknown): Promise<StandardSchemaV1.Result<unknown>> {
    const packages = await this.load();
    const copying = this.copying(packages);
    // a copy: class-transformer deletes discriminators from what it reads
    const data = copyData(value, copying);
    if (!isFields(data)) {
      return { issues: [{ message: `must be an object with the data of ${this.dto.name}` }] };
    }
    let instance: object;
    try {
      instance = packages.toInstance(this.dto, data);
    } catch (error) {
      // the user's @Transform, which met what it was not made for
      const message = error instanceof Error ? error.message : String(error);
      return {
        issues: [{ message: `cannot be made an instance of ${this.dto.name}: ${message}` }],
      };
    }
    const errors = await packages.validate(instance);
    if (errors.some(({ property }) => property === undefined)) {
      throw new InvalidTaskError(this.source, [this.withoutRules()]);
    }
    if (errors.length > 0) return { issues: issuesOf(errors, []) };
    if (this.use === 'payload') return { value: instance };
    return { value: copyData(instance, { ...copying, getters: 'read' }) };
  }

  private withoutRules(): string {
    return (
      `${this.use} is the class ${this.dto.name}, which has no decorator of class-validator, so that anything would pass: ` +
      'decorate its properties (with @Allow() where any value will do), or use type<T>() for a type that is not checked'
    );
  }

  private copying({ hasRules }: DtoPackages): CopyOptions {
    const what = this.use === 'payload' ? 'payload' : 'result';
    return { what: `${what} of ${this.source}`, isDto: hasRules };
  }

  private load(): Promise<DtoPackages> {
    this.packages ??= loadDtoPackages(
      `${this.source}, whose ${this.use} is the class ${this.dto.name},`,
    );
    return this.packages;
  }
}

export function isDtoSchema(value: unknown): value is DtoSchema {
  // not by class: a bundler may have put this module into the process twice
  return (value as Partial<StandardSchemaV1> | undefined)?.['~standard']?.vendor === VENDOR;
}

function issuesOf(errors: readonly DtoError[], parent: PropertyKey[]): StandardSchemaV1.Issue[] {
  return errors.flatMap(({ target, property, constraints = {}, children = [] }) => {
    const isItem = Array.isArray(target) || target instanceof Set;
    const path =
      property === undefined ? parent : [...parent, isItem ? Number(property) : property];
    const own = Object.entries(constraints).map(([name, message]) => ({
      path,
      message: name === 'unknownValue' ? UNCHECKED : message,
    }));
    return [...own, ...issuesOf(children, path)];
  });
}

const UNCHECKED =
  'would not be checked: its class has no decorator of class-validator, or the property no @Type(() => TheClass)';
