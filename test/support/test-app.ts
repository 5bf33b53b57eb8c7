import { Test } from '@nestjs/testing';
import type {
  INestApplicationContext,
  LoggerService,
  ModuleMetadata,
  Provider,
} from '@nestjs/common';
import {
  Conductor,
  ConductorModule,
  Orchestrator,
  type ConductorModuleOptions,
} from '../../lib/index.js';

export interface TestApp {
  app: INestApplicationContext;
  conductor: Conductor;
  orchestrator: Orchestrator;
  close(): Promise<void>;
}

export interface TestAppOptions extends Partial<ConductorModuleOptions> {
  url: string;
  providers?: Provider[];
  modules?: ModuleMetadata['imports'];
  controllers?: ModuleMetadata['controllers'];
  logger?: LoggerService;
}

const silent: LoggerService = {
  log() {},
  error() {},
  warn() {},
  debug() {},
  verbose() {},
  fatal() {},
};

/** A Nest app with the conductor and these providers, started. */
export async function startApp({
  url,
  providers,
  modules = [],
  controllers,
  logger,
  ...options
}: TestAppOptions): Promise<TestApp> {
  const module = await Test.createTestingModule({
    imports: [ConductorModule.forRoot({ connection: { url }, ...options }), ...modules],
    providers,
    controllers,
  })
    .setLogger(logger ?? silent)
    .compile();
  const app = await module.init();
  return {
    app,
    conductor: app.get(Conductor),
    orchestrator: app.get(Orchestrator),
    close: () => app.close(),
  };
}
