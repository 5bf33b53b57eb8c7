import 'reflect-metadata';
import { Injectable, Module, type INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  Conductor,
  ConductorModule,
  defineTask,
  Orchestrator,
  Task,
  TaskContext,
  TaskEvent,
  type,
} from 'nest-conductor';
import { now } from '../harness/now.js';
import { Probe } from '../harness/probe.js';
import { roundTrips } from '../harness/round-trips.js';
import type { Handle, Job, Place, Setting, Subject, SubjectOptions, Work } from './subject.js';

export const settings: Setting[] = [
  {
    name: 'everything',
    value: 'its default (10 handlers at once, a pool of 5), but where a row says otherwise',
    why: 'the figures are meant to be what a new user gets',
  },
];

const noop = defineTask({ name: 'bench.noop', payload: type<Job>() });
const steps = defineTask({ name: 'bench.steps', payload: type<Job>() });
const replay = defineTask({ name: 'bench.replay', payload: type<Job>() });
const contracts = { noop, steps, replay };

let handle: Handle;

@Injectable()
class BenchTasks {
  @Task(noop)
  async noop(event: TaskEvent<typeof noop>) {
    handle(event.payload);
  }

  @Task(steps)
  async steps(event: TaskEvent<typeof steps>, ctx: TaskContext) {
    await takeSteps(event.payload, ctx);
    handle(event.payload);
  }

  @Task(replay)
  async replay(event: TaskEvent<typeof replay>, ctx: TaskContext) {
    const began = now();
    const sent = roundTrips();
    await takeSteps(event.payload, ctx);
    const notes = { ms: now() - began, queries: roundTrips() - sent };
    await ctx.sleep('put away', '1ms'); // only the second way through comes past this
    handle(event.payload, notes);
  }
}

async function takeSteps(job: Job, ctx: TaskContext): Promise<void> {
  for (let step = 0; step < job.steps!; step += 1) await ctx.step(`step ${step}`, () => step);
}

class NestConductor implements Subject {
  private app!: INestApplicationContext;
  private conductor!: Conductor;
  private orchestrator!: Orchestrator;
  private probe!: Probe;

  constructor(private readonly options: SubjectOptions) {}

  async open({ postgres }: Place): Promise<void> {
    const { concurrency } = this.options;
    @Module({
      imports: [
        ConductorModule.forRoot({
          connection: { url: postgres },
          autoStart: false,
          ...(concurrency !== undefined && { queues: { default: { concurrency } } }),
        }),
      ],
      providers: [BenchTasks],
    })
    class AppModule {}
    this.app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });
    this.conductor = this.app.get(Conductor);
    this.orchestrator = this.app.get(Orchestrator);
    this.probe = await Probe.open(postgres);
  }

  async enqueue(work: Work, jobs: Job[]): Promise<void> {
    await this.conductor.invokeMany(
      contracts[work],
      jobs.map((payload) => ({ payload })),
    );
  }

  async invoke(work: Work, job: Job): Promise<void> {
    await this.conductor.invoke(contracts[work], job);
  }

  async start(handler: Handle): Promise<void> {
    handle = handler;
    await this.orchestrator.start();
  }

  async stop(): Promise<void> {
    await this.orchestrator.stop();
  }

  async isDrained(): Promise<boolean> {
    return await this.probe.ask<boolean>(
      'select not conductor.runnable(array(select id from conductor.task))',
    );
  }

  async accepted(): Promise<number> {
    return await this.probe.ask<number>('select count(*)::int from conductor.execution');
  }

  async completed(): Promise<number> {
    // 4: completed
    return await this.probe.ask<number>(
      'select count(*)::int from conductor.outcome where status = 4',
    );
  }

  async close(): Promise<void> {
    await this.probe.close();
    await this.app.close();
  }
}

export const create = (options: SubjectOptions): Subject => new NestConductor(options);
