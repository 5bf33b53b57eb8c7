// The process of one subject: does what it is asked, one call after the other.
import type { SubjectModule, SubjectOptions } from '../subjects/subject.js';
import { Actions } from './actions.js';
import { countRoundTrips } from './round-trips.js';

export interface Call {
  action: keyof Actions;
  argument: unknown;
}

export type Reply = { result: unknown } | { problem: string };

const [module, options] = process.argv.slice(2) as [string, string];
countRoundTrips();
const { create } = (await import(`../subjects/${module}.js`)) as SubjectModule;
const actions = new Actions(create(JSON.parse(options) as SubjectOptions));

async function answer({ action, argument }: Call): Promise<Reply> {
  try {
    const method = actions[action] as (given: unknown) => Promise<unknown>;
    return { result: await method.call(actions, argument) };
  } catch (error) {
    return { problem: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

process.on('message', (call: Call) => void answer(call).then((reply) => process.send!(reply)));
process.on('disconnect', () => process.exit());
