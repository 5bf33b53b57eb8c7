import { Module, type DynamicModule } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Conductor, ConductorModule } from '../../../lib/index.js';
import { conductorOptions } from '../worker/settings.js';

@Module({})
class ClientModule {
  static with(url: string): DynamicModule {
    return {
      module: ClientModule,
      imports: [ConductorModule.forRoot(conductorOptions(url, { role: 'client' }))],
    };
  }
}

export interface Client {
  conductor: Conductor;
  close(): Promise<void>;
}

/** What asks for work, in the controller's own process. The first one installs the schema. */
export async function openClient(url: string): Promise<Client> {
  const app = await NestFactory.createApplicationContext(ClientModule.with(url), {
    logger: ['warn', 'error'],
    abortOnError: false,
  });
  return { conductor: app.get(Conductor), close: () => app.close() };
}
