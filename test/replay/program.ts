import { seededRandom } from '../support/random.js';

/** A piece of a random handler. Every name is used once in a program. */
export type Part =
  /** A step of so many turns of the event loop, its promise wrapped in so many functions. */
  | { does: 'step'; name: string; turns: number; depth: number }
  /** `save(await load(id))` of a provider's @Steps, numbered by the order of the calls or named by a key. */
  | { does: 'call'; id: string; turns: number; keyed: boolean }
  | { does: 'sleep'; name: string; ms: number }
  /** Something drawn, which a step then takes. */
  | { does: 'drawn'; name: string; what: 'now' | 'uuid' | 'random' }
  /** A change of the code, which came to be in it with this claim: the step is another one. */
  | { does: 'patched'; name: string; since: number }
  /** Work of the handler itself, outside any step. */
  | { does: 'own'; turns: number }
  /** A step with a retry policy of its own, which succeeds. */
  | { does: 'retried'; name: string; failures: number; delayMs: number }
  /** A step that fails, in the first attempt or in each, after so many tries; the handler goes on with another step. */
  | { does: 'caught'; name: string; always: boolean; tries: number }
  /** A step that fails the attempt, up to this one. */
  | { does: 'uncaught'; name: string; attempts: number }
  | { does: 'sequence' | 'all'; parts: Part[] }
  /** `Promise.allSettled`, and one of them fails. */
  | { does: 'settled'; name: string; parts: Part[] }
  /** The first one wins, or with `any` the first that does not fail; a step is named after it. `sure`: which one it is does
   *  not depend on the machine's timing. */
  | { does: 'race' | 'any'; name: string; contenders: Contender[]; sure: boolean };

export interface Contender {
  label: string;
  part: Part;
  fails: boolean;
  /** Whether it is over within the test. */
  ends: boolean;
}

export interface Program {
  body: Part;
  /** Whether the losers of races are waited for at the end; otherwise they are still at work when the handler ends. */
  awaitsLosers: boolean;
  /** Whether a worker with other code, in which a recorded step has another name, meets it once. */
  badDeploy: boolean;
}

/** In the argument of calls that have the same arguments as others, so that nobody can tell whose body ran. */
export const SHARED = 'shared';

const SUSPENDS_MS = 400;
const NEVER_MS = 30 * 86_400_000;
const DEEPEST = 3;
/** Beyond a second, a step's wait between two tries frees the worker. */
const DURABLE_RETRY_MS = 1_050;

export function drawProgram(seed: number): Program {
  return new Drawing(seededRandom(seed)).program();
}

class Drawing {
  private names = 0;

  constructor(private readonly random: () => number) {}

  program(): Program {
    const parts = this.parts(2 + this.pick(3), 0);
    // every program has what S10 names: a race in each of several branches
    parts.push({
      does: 'all',
      parts: this.times(2 + this.pick(2), () => this.branch()),
    });
    if (this.oneIn(3)) parts.splice(this.pick(parts.length), 0, this.uncaught());
    if (this.oneIn(3)) parts.unshift(this.unevenStart());
    return {
      body: { does: 'sequence', parts },
      awaitsLosers: this.oneIn(2),
      badDeploy: this.oneIn(8),
    };
  }

  private branch(): Part {
    return {
      does: 'sequence',
      parts: [this.sureRace(), ...(this.oneIn(2) ? [this.sleep(8)] : []), this.call()],
    };
  }

  private part(depth: number): Part {
    const simple = [
      () => this.step(),
      () => this.call(),
      () => this.sleep(20),
      () => this.retried(),
      () => this.caught(),
      () => this.drawn(),
      () => this.patched(),
      () => this.sureRace(),
      () => this.photoFinish(depth),
      () => this.any(),
    ];
    const nested = [
      () => ({ does: 'sequence' as const, parts: this.parts(2, depth + 1) }),
      () => ({ does: 'all' as const, parts: this.parts(2 + this.pick(2), depth + 1) }),
      () => ({
        does: 'settled' as const,
        name: this.name('settled'),
        parts: this.parts(1 + this.pick(2), depth + 1),
      }),
    ];
    const kinds: (() => Part)[] = depth < DEEPEST ? [...simple, ...nested] : simple;
    return kinds[this.pick(kinds.length)]!();
  }

  private parts(count: number, depth: number): Part[] {
    return this.times(count, () => this.part(depth));
  }

  private step(turns = this.pick(6), depth = this.pick(6)): Part {
    return { does: 'step', name: this.name('step'), turns, depth };
  }

  private call(shares = true): Part {
    const keyed = this.oneIn(4);
    const id = shares && !keyed && this.oneIn(3) ? SHARED + this.pick(2) : this.name('call');
    return { does: 'call', id, turns: this.pick(8), keyed };
  }

  private sleep(longest: number): Part {
    const ms = this.pick(longest);
    // half of them are over before anything is stored, on a machine that is slow enough; the others suspend on any
    return {
      does: 'sleep',
      name: this.name('sleep'),
      ms: 2 * ms > longest ? SUSPENDS_MS + ms : ms,
    };
  }

  /** Work of the handler's own, before a step that stands beside others. Only here: it must not decide a race, and beside a
   *  long sleep it would be dropped with the activation. After it nobody could tell calls with the same arguments apart. */
  private unevenStart(): Part {
    const late = (): Part => ({
      does: 'sequence',
      parts: [{ does: 'own', turns: 1 + this.pick(6) }, this.call(false), this.step()],
    });
    return {
      does: 'all',
      parts: [
        late(),
        late(),
        { does: 'sequence', parts: [this.step(), this.call(false), this.call(false)] },
      ],
    };
  }

  private retried(): Part {
    return {
      does: 'retried',
      name: this.name('retried'),
      failures: 1 + this.pick(2),
      delayMs: this.oneIn(6) ? DURABLE_RETRY_MS : this.pick(10),
    };
  }

  private caught(): Part {
    return {
      does: 'caught',
      name: this.name('caught'),
      always: this.oneIn(2),
      tries: 1 + this.pick(2),
    };
  }

  private drawn(): Part {
    const what = (['now', 'uuid', 'random'] as const)[this.pick(3)]!;
    return { does: 'drawn', name: this.name('drawn'), what };
  }

  private patched(): Part {
    return { does: 'patched', name: this.name('patched'), since: this.pick(6) };
  }

  private uncaught(): Part {
    return { does: 'uncaught', name: this.name('uncaught'), attempts: 1 + this.pick(2) };
  }

  /** A slow step, a fast one in wrappers, and a sleep. */
  private sureRace(): Part {
    const sleepWins = this.oneIn(3);
    const fast = this.contender('fast', this.step(sleepWins ? 100 : 2));
    const slow = this.contender('slow', this.step(150, 0));
    const nap: Contender = {
      label: 'nap',
      part: { does: 'sleep', name: this.name('nap'), ms: sleepWins ? 0 : NEVER_MS },
      fails: false,
      ends: sleepWins,
    };
    return { does: 'race', name: this.name('race'), contenders: [slow, fast, nap], sure: true };
  }

  /** Who wins is a matter of chance; it must be the same one again. */
  private photoFinish(depth: number): Part {
    const turns = this.pick(6);
    const contenders = [
      this.contender('step', this.step(turns)),
      this.contender('sleep', { does: 'sleep', name: this.name('sleep'), ms: this.pick(5) }),
      this.contender('other', depth < DEEPEST ? this.part(depth + 1) : this.step(turns)),
      this.contender('bad', this.caught()),
    ];
    return {
      does: 'race',
      name: this.name('photo'),
      contenders: this.times(2 + this.pick(3), (i) => contenders[i]!),
      sure: false,
    };
  }

  private any(): Part {
    const failing = (turns: number): Contender => ({
      label: `bad ${turns}`,
      part: this.step(turns),
      fails: true,
      ends: true,
    });
    return {
      does: 'any',
      name: this.name('any'),
      contenders: [failing(1), this.contender('good', this.step(this.pick(4))), failing(2)],
      sure: true,
    };
  }

  private contender(label: string, part: Part): Contender {
    return { label, part, fails: false, ends: true };
  }

  private name(kind: string): string {
    this.names += 1;
    return `${kind} ${this.names}`;
  }

  private times<T>(count: number, make: (index: number) => T): T[] {
    return Array.from({ length: count }, (_, index) => make(index));
  }

  private oneIn(n: number): boolean {
    return this.pick(n) === 0;
  }

  private pick(n: number): number {
    return Math.floor(this.random() * n);
  }
}
