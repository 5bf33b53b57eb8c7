import { Injectable, Logger, type InjectionToken } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModuleRef } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { nameProblem } from '../contracts/task-name.js';
import type { StepMetadata } from '../decorators/step.decorator.js';
import type { TaskMetadata } from '../decorators/task.decorator.js';
import { InvalidTaskError } from '../errors/invalid-task.error.js';
import { paramProblems, type ParamsMetadata } from './handler-params.js';
import type { TaskSettings } from '../interfaces/task-options.js';
import type { TaskDefinition } from './task-definition.js';
import { taskHandler } from './task-handler.js';
import { TaskMetadataAccessor } from './task-metadata.accessor.js';
import { taskOptionProblems } from './task-option-problems.js';
import { plainOptions } from './task-settings.js';

type Prototype = Record<string, (...args: unknown[]) => unknown>;

const STRAY_TX =
  'has a parameter with @Tx, but is no step: decorate it with @Step({ transactional: true })';

const BOTH = 'is both @Task and @Step: a task calls steps; move the step into a method of its own';

/** A method of a provider's class. */
interface Method {
  prototype: Prototype;
  method: string;
  step?: StepMetadata;
  /** `Class.method`. */
  source: string;
}

interface Handler {
  method: string;
  task: TaskMetadata;
  /** The options, carried out. */
  options: TaskSettings;
  isStep: boolean;
  /** Decorators of guards, interceptors and filters, on the method and on its class. */
  enhancers: { own: string[]; ofClass: string[] };
  /** The class that its parameters' decorators know. */
  declaring: object;
  params: ParamsMetadata;
  /** How many parameters it declares. */
  declared: number;
  source: string;
}

/** Finds the handlers of tasks on the app's providers and controllers. It returns what it found, and registers nothing. */
@Injectable()
export class TaskExplorer {
  private readonly logger = new Logger('Conductor');

  constructor(
    private readonly discovery: DiscoveryService,
    private readonly scanner: MetadataScanner,
    private readonly metadata: TaskMetadataAccessor,
    private readonly modules: ModuleRef,
  ) {}

  /** The transactional `@Step` methods of the app's providers, as `Class.method`. */
  transactionalSteps(): string[] {
    const wrappers = [...this.discovery.getProviders(), ...this.discovery.getControllers()];
    const sources = wrappers.flatMap((wrapper) =>
      this.methodsOf(wrapper).filter(({ step }) => step?.transactional),
    );
    return [...new Set(sources.map(({ source }) => source))];
  }

  /** @throws InvalidTaskError that lists what is wrong with every handler that cannot work */
  async explore(): Promise<TaskDefinition[]> {
    const definitions: TaskDefinition[] = [];
    const faults: { source: string; problems: string[] }[] = [];
    const controllers = new Set(this.discovery.getControllers());
    const seen = new Set<unknown>();
    for (const wrapper of [...this.discovery.getProviders(), ...controllers]) {
      // an alias, or one instance exported by several modules, is one handler
      if (wrapper.isAlias || (wrapper.instance && seen.has(wrapper.instance))) continue;
      seen.add(wrapper.instance);
      for (const source of this.strayTransactions(wrapper))
        faults.push({ source, problems: [STRAY_TX] });
      for (const found of this.handlersOf(wrapper)) {
        const problems: string[] = [];
        const options = await plainOptions(found.task.options, this.modules, problems);
        const handler = { ...found, options: options as TaskSettings };
        const isController = controllers.has(wrapper);
        problems.push(...handlerProblems(wrapper, handler, isController));
        if (isController) this.warnOfUnheeded(handler);
        if (problems.length > 0) faults.push({ source: handler.source, problems });
        else definitions.push(definition(wrapper, handler, isController));
      }
    }
    if (faults.length === 1) throw new InvalidTaskError(faults[0]!.source, faults[0]!.problems);
    if (faults.length > 1) {
      throw new InvalidTaskError(
        faults.map(({ source }) => source).join(', '),
        faults.flatMap(({ source, problems }) =>
          problems.map((problem) => `${source}: ${problem}`),
        ),
      );
    }
    return definitions;
  }

  private strayTransactions(wrapper: InstanceWrapper): string[] {
    return this.methodsOf(wrapper)
      .filter(
        ({ prototype, method, step }) =>
          step === undefined && this.metadata.hasTransactionParameter(prototype, method),
      )
      .map(({ source }) => source);
  }

  private warnOfUnheeded({ enhancers: { ofClass }, source }: Handler): void {
    if (ofClass.length > 0) this.logger.warn(`${source}: its class has ${unheeded(ofClass)}`);
  }

  private handlersOf(wrapper: InstanceWrapper): Omit<Handler, 'options'>[] {
    return this.methodsOf(wrapper).flatMap(({ prototype, method, step, source }) => {
      const task = this.metadata.task(prototype[method]!);
      if (task === undefined) return [];
      const declaring = prototype.constructor!;
      return {
        method,
        task,
        isStep: step !== undefined,
        enhancers: {
          own: this.metadata.enhancers(prototype[method]!),
          ofClass: this.metadata.enhancers(declaring),
        },
        declaring,
        params: this.metadata.params(declaring, method),
        declared: prototype[method]!.length,
        source,
      };
    });
  }

  private methodsOf(wrapper: InstanceWrapper): Method[] {
    const prototype = prototypeOf(wrapper);
    if (!prototype) return [];
    return this.scanner.getAllMethodNames(prototype).map((method) => ({
      prototype,
      method,
      step: this.metadata.step(prototype[method]!),
      source: `${prototype.constructor?.name}.${method}`,
    }));
  }
}

/** The prototype of a provider's class; of a factory's provider, or of a value, that of what there is. */
function prototypeOf(wrapper: InstanceWrapper): Prototype | undefined {
  const { metatype, inject, token } = wrapper;
  if (!inject && typeof metatype === 'function') return metatype.prototype as Prototype;
  const instance: unknown = wrapper.instance;
  // not its `constructor`: a value may be a proxy that answers every property
  if (typeof instance === 'object' && instance !== null)
    return (Object.getPrototypeOf(instance) as Prototype | null) ?? undefined;
  // a factory that is called per request has made nothing yet
  const made = typeof token === 'function' && !wrapper.isDependencyTreeStatic();
  return made ? (token.prototype as Prototype) : undefined;
}

function handlerProblems(
  wrapper: InstanceWrapper,
  { task, options, isStep, enhancers, params, declared }: Handler,
  isController: boolean,
): string[] {
  const kind = {
    contract: task.contract !== undefined,
    decorated: options?.params === 'decorated',
  };
  return [
    ...(isStep ? [BOTH] : []),
    ...(enhancers.own.length > 0 ? [`has ${unheeded(enhancers.own)}`] : []),
    // those of a controller are there for its routes
    ...(enhancers.ofClass.length > 0 && !isController
      ? [`its class has ${unheeded(enhancers.ofClass)}`]
      : []),
    ...taskProblems(task, options),
    ...paramProblems(params, declared, kind, (pipe) =>
      wrapper.host!.injectables.has(pipe as InjectionToken),
    ),
  ];
}

/** Whoever guards a handler relies on it. */
function unheeded(decorators: string[]): string {
  return `${decorators.join(' and ')}, which tasks do not heed yet: do in the handler what it shall do`;
}

function taskProblems({ name, contract }: TaskMetadata, options: TaskSettings): string[] {
  const problems: string[] = [];
  const wrong = nameProblem(name);
  if (wrong !== undefined) problems.push(`the task's name ${wrong}${hint(name)}`);
  problems.push(...taskOptionProblems(options, ''));
  if (contract !== undefined && options?.queue !== undefined && options.queue !== contract.queue) {
    problems.push(
      `queue is "${options.queue}", but the contract, which callers go by, says "${contract.queue}": name it there only`,
    );
  }
  return problems;
}

function hint(name: unknown): string {
  return name === undefined ? '; a contract is undefined where two files import each other' : '';
}

function definition(
  wrapper: InstanceWrapper,
  { method, task, options, declaring, params, source }: Handler,
  isController: boolean,
): TaskDefinition {
  const { name, contract } = task;
  return {
    name: name as string,
    queue: contract?.queue ?? options.queue ?? 'default',
    options,
    ...(contract?.payload && { payload: contract.payload }),
    ...(contract?.returns && { returns: contract.returns }),
    handler: taskHandler(wrapper, declaring, method, params),
    source,
    home: `${isController ? 'controller' : 'provider'} of ${wrapper.host?.name ?? 'an unnamed module'}`,
  };
}
