import 'reflect-metadata';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { z } from 'zod';
import {
  Conductor,
  ConductorModule,
  defineTask,
  Step,
  Task,
  TaskContext,
  TaskEvent,
} from '../../lib/index.js';
import { startPostgres } from '../../lib/embedded/index.js';

const greet = defineTask({
  name: 'greetings.greet',
  payload: z.object({ name: z.string().min(1) }),
  returns: z.string(),
});

@Injectable()
class GreetingTasks {
  @Task(greet)
  async greet(event: TaskEvent<typeof greet>, ctx: TaskContext) {
    const greeting = await this.compose(event.payload.name); // recorded as "GreetingTasks.compose"
    await ctx.sleep('think it over', '500ms'); // the handler is dropped here, and runs again from its top
    return await ctx.step('shout', () => greeting.toUpperCase());
  }

  @Step()
  async compose(name: string): Promise<string> {
    console.log(`composing for ${name}`); // printed once: after the sleep the recorded result is used
    return `Hello, ${name}!`;
  }
}

const postgres = await startPostgres();

@Module({
  imports: [
    ConductorModule.forRoot({ connection: { url: postgres.url }, schema: 'conductor_first' }),
  ],
  providers: [GreetingTasks],
})
class AppModule {}

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error'] });
try {
  const greeting = await app.get(Conductor).invokeAndWait(greet, { name: 'Ada' });
  console.log(greeting);
} finally {
  await app.close();
  await postgres.stop();
}
