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
import type { Clock } from '../../lib/common/clock.js';
import { CLOCK } from '../../lib/conductor.constants.js';
import { createTestDatabase, type TestDatabase } from './test-database.js';

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
  clock?: Clock;
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
  clock,
  ...options
}: TestAppOptions): Promise<TestApp> {
  const building = Test.createTestingModule({
    imports: [ConductorModule.forRoot({ connection: { url }, ...options }), ...modules],
    providers,
    controllers,
  }).setLogger(logger ?? silent);
  if (clock !== undefined) building.overrideProvider(CLOCK).useValue(clock);
  const module = await building.compile();
  const app = await module.init();
  return {
    app,
    conductor: app.get(Conductor),
    orchestrator: app.get(Orchestrator),
    close: () => app.close(),
  };
}

export interface TestApps {
  readonly database: TestDatabase;
  start: (options: Omit<TestAppOptions, 'url'> & { url?: string }) => Promise<TestApp>;
  /** Has an app closed after the test. */
  keep: (app: { close(): Promise<void> }) => void;
}

/** A database for each test of a file, or one for all of them, and apps that are closed after each test. */
export function testApps(database: 'each' | 'all' = 'each'): TestApps {
  let current: TestDatabase;
  const apps: { close(): Promise<void> }[] = [];
  const open = async () => {
    current = await createTestDatabase();
  };
  const close = () => Promise.all(apps.splice(0).map((app) => app.close()));
  const drop = () => current.drop();

  if (database === 'all') beforeAll(open);
  else beforeEach(open);
  afterEach(async () => {
    await close();
    if (database === 'each') await drop();
  });
  if (database === 'all') afterAll(drop);

  return {
    get database() {
      return current;
    },
    async start(options) {
      const app = await startApp({ url: current.url, ...options });
      apps.push(app);
      return app;
    },
    keep: (app) => void apps.push(app),
  };
}
