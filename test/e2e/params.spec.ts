import {
  BadRequestException,
  Body,
  Controller,
  createParamDecorator,
  Get,
  Inject,
  Injectable,
  ParseIntPipe,
  Scope,
  UsePipes,
  type ArgumentMetadata,
  type ExecutionContext,
  type PipeTransform,
  type Provider,
} from '@nestjs/common';
import { APP_PIPE, REQUEST } from '@nestjs/core';
import { z } from 'zod';
import {
  Ctx,
  defineTask,
  ExecutionId,
  InvalidTaskError,
  Payload,
  Task,
  TaskContext,
  TaskEvent,
  TaskRequest,
  type,
} from '../../lib/index.js';
import { collected } from '../support/garbage.js';
import { testApps } from '../support/test-app.js';
import { until } from '../support/until.js';

const soon = { timeout: '20s' } as const;
const once = { retry: { maxAttempts: 1 } } as const;

const greet = defineTask({
  name: 'greet',
  payload: z.object({ name: z.string(), times: z.coerce.number<string>() }),
  returns: type<string>(),
});

const greetTwo = defineTask({ name: 'greet two', returns: type<string>() });

/** What of an execution a decorator of users' own can see. */
const Seen = createParamDecorator((data: string | undefined, host: ExecutionContext) => [
  data,
  host.getType<string>(),
  host.getClass().name,
  host.getHandler().name,
  host.switchToRpc().getData<TaskEvent>().name,
  host.switchToRpc().getContext<TaskContext>().attempt,
]);

describe('a handler with decorated parameters', () => {
  const { start } = testApps('all');

  async function run(name: string, payload: unknown, app: Parameters<typeof start>[0]) {
    const { conductor } = await start(app);
    return await conductor.invokeAndWait({ name }, payload, soon);
  }

  async function refused(...providers: Provider[]): Promise<string> {
    const error = await start({ providers }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(InvalidTaskError);
    return (error as Error).message;
  }

  it('gets payload, context and id where it asks for them, with the payload parsed', async () => {
    @Injectable()
    class Tasks {
      private readonly greeting = 'hello';
      @Task(greet, { params: 'decorated' })
      async greet(
        @Payload() { name, times }: { name: string; times: number },
        @Payload('name') again: string,
        @Ctx() ctx: TaskContext,
        @ExecutionId() id: string,
      ) {
        const memoized = await ctx.step('greet', () => `${this.greeting} ${name}`);
        return `${memoized.repeat(times)} ${again} ${id === ctx.executionId}`;
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    await expect(conductor.invokeAndWait(greet, { name: 'Ada', times: '2' }, soon)).resolves.toBe(
      'hello Adahello Ada Ada true',
    );
  });

  it('gets event and context where its first and second parameter are not decorated', async () => {
    @Injectable()
    class Tasks {
      @Task('first')
      first(@Payload() payload: unknown, ctx: TaskContext) {
        return [payload, ctx.taskName];
      }
      @Task('second')
      second(event: TaskEvent, @ExecutionId() id: string, @Ctx() ctx: TaskContext) {
        return [event.payload, event === ctx.event, id === ctx.executionId];
      }
      @Task('third')
      third(event: TaskEvent, ctx: TaskContext, @Payload('a') a: unknown, rest = 'default') {
        return [event.payload, ctx.taskName, a, rest];
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    const result = (name: string, payload: unknown) =>
      conductor.invokeAndWait({ name }, payload, soon);
    await expect(result('first', 1)).resolves.toEqual([1, 'first']);
    await expect(result('second', null)).resolves.toEqual([null, true, true]);
    await expect(result('third', { a: 2 })).resolves.toEqual([{ a: 2 }, 'third', 2, 'default']);
    const ofNothing = await result('third', null);
    expect(ofNothing).toEqual([null, 'third', undefined, 'default']);
  });

  it('gets what decorators of users’ own make of an ExecutionContext of type conductor, also by a promise', async () => {
    class TrimPipe implements PipeTransform<string, string> {
      transform(value: string) {
        return value.trim();
      }
    }
    const Later = createParamDecorator(async (_data, host: ExecutionContext) => {
      const [event] = host.getArgs<[TaskEvent]>();
      return `later ${String(event.payload)}`;
    });
    @Injectable()
    class Tasks {
      @Task('seen')
      handle(@Seen('data') seen: unknown, @Later(new TrimPipe()) later: string) {
        return [seen, later];
      }
    }
    await expect(run('seen', 'x ', { providers: [Tasks] })).resolves.toEqual([
      ['data', 'conductor', 'Tasks', 'handle', 'conductor.invoke', 1],
      'later x',
    ]);
  });

  describe('and pipes', () => {
    @Injectable()
    class Suffix {
      readonly text: string = '!';
    }
    @Injectable()
    class SuffixPipe implements PipeTransform<string, string> {
      constructor(private readonly suffix: Suffix) {}
      transform(value: string) {
        return value + this.suffix.text;
      }
    }

    it.each([
      ['provider', false],
      ['controller', true],
    ])(
      'applies them in their order, classes with their dependencies, on a %s',
      async (_title, isController) => {
        @Controller()
        class Tasks {
          @Task('pipes')
          handle(
            @Payload('number', ParseIntPipe) number: number,
            @Payload('text', SuffixPipe, new Quote()) text: string,
            @ExecutionId(SuffixPipe) id: string,
          ) {
            return [number, text, id.endsWith('!')];
          }
        }
        const app = isController
          ? { controllers: [Tasks], providers: [Suffix] }
          : { providers: [Tasks, Suffix] };
        await expect(run('pipes', { number: '42', text: 'a' }, app)).resolves.toEqual([
          42,
          '"a!"',
          true,
        ]);
      },
    );

    it('tells them of a payload what Nest’s tell of a body, so that a ValidationPipe validates it', async () => {
      const told: ArgumentMetadata[] = [];
      class Note implements PipeTransform {
        transform(value: unknown, metadata: ArgumentMetadata) {
          told.push(metadata);
          return value;
        }
      }
      class Order {}
      @Injectable()
      class Tasks {
        @Task('told')
        handle(
          @Payload(Note) _order: Order,
          @Ctx(Note) _ctx: TaskContext,
          @Payload('id', Note) _id: string,
        ) {}
      }
      await run('told', {}, { providers: [Tasks] });
      expect(new Set(told)).toEqual(
        new Set([
          { type: 'body', metatype: String, data: 'id', schema: undefined },
          { type: 'body', metatype: Order, data: undefined, schema: undefined },
          { type: 'custom', metatype: TaskContext, data: undefined, schema: undefined },
        ]),
      );
    });

    it('fails the attempt with what a pipe throws, before the handler begins', async () => {
      let ran = false;
      @Injectable()
      class Tasks {
        @Task('refused', once)
        handle(@Payload('id', ParseIntPipe) _id: number) {
          ran = true;
        }
      }
      const { conductor } = await start({ providers: [Tasks] });
      const { id } = await conductor.invoke({ name: 'refused' }, { id: 'x' });
      await expect(conductor.handle(id).result(soon)).rejects.toThrow(/numeric string/);
      await expect(conductor.get(id)).resolves.toMatchObject({
        error: { name: BadRequestException.name },
      });
      expect(ran).toBe(false);
    });

    it('applies those of the method and the class, and none that is global', async () => {
      @Injectable()
      @UsePipes(SuffixPipe)
      class Tasks {
        @Task('levels')
        @UsePipes(new Quote())
        handle(@Payload('text') text: string) {
          return text;
        }
      }
      class Global implements PipeTransform {
        transform(): never {
          throw new Error('made for requests');
        }
      }
      const providers = [Tasks, Suffix, { provide: APP_PIPE, useClass: Global }];
      await expect(run('levels', { text: 'a' }, { providers })).resolves.toBe('"a!"');
    });

    it('makes request-scoped ones for each activation', async () => {
      @Injectable({ scope: Scope.REQUEST })
      class AttemptPipe implements PipeTransform {
        constructor(@Inject(REQUEST) private readonly request: TaskRequest) {}
        transform(value: unknown) {
          return [value, this.request.ctx.executionId];
        }
      }
      @Injectable()
      class Tasks {
        @Task('scoped pipe')
        handle(@Payload(AttemptPipe) payload: unknown, @ExecutionId() id: string) {
          return [payload, id];
        }
      }
      const { conductor } = await start({ providers: [Tasks] });
      for (const payload of [1, 2]) {
        const { id } = await conductor.invoke({ name: 'scoped pipe' }, payload);
        await expect(conductor.handle(id).result(soon)).resolves.toEqual([[payload, id], id]);
      }
    });

    class Quote implements PipeTransform<string, string> {
      transform(value: string) {
        return `"${value}"`;
      }
    }
  });

  it('may be request-scoped, and leaves nothing behind', async () => {
    const made: WeakRef<object>[] = [];
    @Injectable({ scope: Scope.REQUEST })
    class Tasks {
      constructor(@Inject(REQUEST) readonly request: TaskRequest) {
        made.push(new WeakRef(this), new WeakRef(request.ctx));
      }
      @Task('scoped')
      async handle(@Payload('nap') nap: boolean, @Ctx() ctx: TaskContext) {
        if (nap) await ctx.sleep('long', '30d');
        return ctx === this.request.ctx;
      }
    }
    const { conductor } = await start({ providers: [Tasks] });
    await expect(conductor.invokeAndWait({ name: 'scoped' }, {}, soon)).resolves.toBe(true);
    const sleeper = await conductor.invoke({ name: 'scoped' }, { nap: true });
    await until(async () => (await sleeper.status()).status === 'suspended');
    expect(made).toHaveLength(4);
    await collected(made);
  });

  it('is inherited with its decorators, and called as what an app lays over it', async () => {
    abstract class Base {
      abstract readonly name: string;
      @Task('inherited')
      handle(@Payload('id') id: string) {
        return `${this.name} ${id}`;
      }
    }
    @Injectable()
    class Special extends Base {
      readonly name = 'special';
    }
    const { conductor, app } = await start({ providers: [Special] });
    const result = () => conductor.invokeAndWait({ name: 'inherited' }, { id: 'a' }, soon);
    await expect(result()).resolves.toBe('special a');
    app.get(Special).handle = (id) => `laid over ${id}`;
    await expect(result()).resolves.toBe('laid over a');
  });

  it('stands beside routes with decorators of requests, and what stands undecorated is called with event and context alone', async () => {
    @Controller()
    class Tasks {
      @Get()
      page(@Body() body: unknown) {
        return body;
      }
      @Task('direct')
      handle(...args: unknown[]) {
        const [event, ctx] = args as [TaskEvent, TaskContext];
        return [args.length, event.payload, ctx.taskName];
      }
    }
    await expect(run('direct', 7, { controllers: [Tasks] })).resolves.toEqual([2, 7, 'direct']);
  });

  describe('that does not fit', () => {
    it('fails the boot when it decorates what the compiler has checked as event or context', async () => {
      class First {
        @Task(greet)
        greet(@Payload() _event: TaskEvent<typeof greet>) {
          return '';
        }
      }
      class Second {
        @Task(greetTwo)
        greet(_event: TaskEvent<typeof greetTwo>, @ExecutionId() _ctx: TaskContext) {
          return '';
        }
      }
      const message = await refused(First, Second);
      expect(message).toMatch(
        /First\.greet: its first parameter.*the event: say params: 'decorated'/,
      );
      expect(message).toMatch(/Second\.greet: its second parameter.*the context: say params/);
    });

    it('takes @Ctx() for the context that the compiler has checked', async () => {
      @Injectable()
      class Tasks {
        @Task(greet)
        greet(event: TaskEvent<typeof greet>, @Ctx() ctx: TaskContext, @Seen() seen?: unknown[]) {
          return `${event.payload.name} ${ctx.attempt} ${seen?.length}`;
        }
      }
      const { conductor } = await start({ providers: [Tasks] });
      await expect(conductor.invokeAndWait(greet, { name: 'Ada', times: '1' }, soon)).resolves.toBe(
        'Ada 1 6',
      );
    });

    it('fails the boot when it says decorated and nothing is', async () => {
      class Tasks {
        @Task(greet, { params: 'decorated' })
        greet(_payload: { name: string }) {
          return '';
        }
      }
      await expect(refused(Tasks)).resolves.toMatch(/no decorated parameter: add @Payload\(\)/);
    });

    it('fails the boot with a parameter that nothing is given to, or that two decorators are for', async () => {
      class Tasks {
        @Task('one')
        one(
          _event: TaskEvent,
          _ctx: TaskContext,
          _nothing: unknown,
          @Payload() _payload: unknown,
        ) {}
        @Task('two')
        two(@Payload() @Ctx() _both: unknown) {}
      }
      const message = await refused(Tasks);
      expect(message).toMatch(/Tasks\.one: its third parameter has no decorator/);
      expect(message).toMatch(/Tasks\.two: its first parameter has 2 decorators/);
    });

    it('fails the boot with decorators of requests, and names ours', async () => {
      @Injectable()
      class Tasks {
        @Task('body')
        handle(@Body() _body: unknown) {}
      }
      await expect(refused(Tasks)).resolves.toMatch(
        /its first parameter has a decorator of requests.*@Payload.*of nest-conductor/,
      );
    });

    it('fails the boot with a pipe that Nest cannot inject, where it would silently be left out', async () => {
      class Tasks {
        @Task('made')
        handle(@Payload(ParseIntPipe) _id: number) {}
      }
      await expect(refused({ provide: 'tasks', useValue: new Tasks() })).resolves.toMatch(
        /the pipe ParseIntPipe of its first parameter.*new ParseIntPipe\(\)/,
      );
    });
  });
});
