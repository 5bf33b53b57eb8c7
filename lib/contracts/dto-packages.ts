import { MissingPackageError } from '../errors/missing-package.error.js';
import type { DtoClass } from './dto-class.js';

/** As class-validator reports it: of an object (`children`), or of one value. */
export interface DtoError {
  /** The object or the list in which the property is. */
  target?: object;
  /** Undefined for an object as a whole. */
  property?: string;
  /** Messages by the name of what they are about. */
  constraints?: Record<string, string>;
  children?: DtoError[];
}

/** What is used of class-transformer and class-validator. Of our own: a user who has not installed them has no types of them. */
export interface DtoPackages {
  toInstance: (dto: DtoClass, plain: object) => object;
  validate: (instance: object) => Promise<DtoError[]>;
  hasRules: (type: Function) => boolean;
}

const INSTALL = 'npm install class-validator class-transformer';

/** Loaded when the first DTO is met: an app without DTOs needs neither package.
 *  @throws MissingPackageError */
export async function loadDtoPackages(neededBy: string): Promise<DtoPackages> {
  // by literals, which bundlers can follow: class-transformer has to be the very copy that the app's decorators wrote to
  const [validator, transformer] = await Promise.all([
    load('class-validator', () => import('class-validator'), neededBy),
    load('class-transformer', () => import('class-transformer'), neededBy),
  ]);
  return {
    toInstance: (dto, plain) => transformer.plainToInstance(dto, plain),
    // unknown values are nested objects that nothing would check; the target tells an index from a key
    validate: (instance) =>
      validator.validate(instance, {
        forbidUnknownValues: true,
        validationError: { target: true, value: false },
      }),
    hasRules: (type) =>
      validator
        .getMetadataStorage()
        // `''`: a schema that was registered by name, which a DTO has not
        .getTargetValidationMetadatas(type, '', false, false).length > 0,
  };
}

async function load<T>(name: string, load: () => Promise<T>, neededBy: string): Promise<T> {
  try {
    return await load();
  } catch (error) {
    if (isMissing(error, name)) {
      throw new MissingPackageError(name, neededBy, INSTALL, { cause: error });
    }
    throw error;
  }
}

/** Whether this very package was not found, rather than one that it needs itself. */
function isMissing(error: unknown, name: string): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return (
    (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') &&
    message.includes(`'${name}'`)
  );
}
