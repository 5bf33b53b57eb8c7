import {
  Controller,
  Get,
  Injectable,
  Module,
  Param,
  Post,
  type DynamicModule,
  type OnModuleInit,
} from '@nestjs/common';
import { Conductor, ConductorModule } from '../../../lib/index.js';
import { AppTasks } from './app.tasks.js';
import { gate, tell } from './gates.js';
import type { AppSettings } from './settings.js';

@Controller()
class AppController {
  constructor(private readonly conductor: Conductor) {}

  @Post('quick')
  async quick() {
    return { id: (await this.conductor.invoke({ name: 'quick' })).id };
  }

  @Get('results/:id')
  async result(@Param('id') id: string) {
    return { result: await this.conductor.handle(id).result() };
  }
}

@Injectable()
class SlowBoot implements OnModuleInit {
  async onModuleInit() {
    tell({ type: 'booting' });
    await gate('boot');
  }
}

@Module({})
export class AppModule {
  static with({ url, slowBoot = false, options }: AppSettings): DynamicModule {
    return {
      module: AppModule,
      imports: [ConductorModule.forRoot({ connection: { url }, ...options })],
      controllers: [AppController],
      providers: [AppTasks, ...(slowBoot ? [SlowBoot] : [])],
    };
  }
}
