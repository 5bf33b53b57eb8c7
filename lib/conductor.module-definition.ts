import { ConfigurableModuleBuilder } from '@nestjs/common';
import type { ConductorModuleOptions } from './interfaces/module-options.js';

export interface ConductorModuleExtras {
  /** Whether every module of the app can inject the conductor without importing this one. Default true. */
  isGlobal?: boolean;
}

export const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN, OPTIONS_TYPE, ASYNC_OPTIONS_TYPE } =
  new ConfigurableModuleBuilder<ConductorModuleOptions>({ moduleName: 'Conductor' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createConductorOptions')
    .setExtras<ConductorModuleExtras>({ isGlobal: true }, (definition, { isGlobal }) => ({
      ...definition,
      global: isGlobal,
    }))
    .build();

/** What a class given to `useClass` or `useExisting` has. */
export interface ConductorOptionsFactory {
  createConductorOptions(): Promise<ConductorModuleOptions> | ConductorModuleOptions;
}
