import { seededRandom } from '../../support/random.js';

/** The random choices of one run, all from its seed. */
export class Random {
  private readonly next: () => number;

  constructor(seed: number) {
    this.next = seededRandom(seed);
  }

  /** A generator of its own, so that draws that depend on timing do not move those that do not. */
  branch(): Random {
    return new Random(this.integer(0, 2 ** 32 - 1));
  }

  /** Both ends included. */
  integer(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)]!;
  }

  /** So many of them, in their order. */
  sample<T>(items: readonly T[], count: number): T[] {
    const left = items.map((_, index) => index);
    const drawn = Array.from(
      { length: Math.min(count, items.length) },
      () => left.splice(this.integer(0, left.length - 1), 1)[0]!,
    );
    return drawn.sort((a, b) => a - b).map((index) => items[index]!);
  }

  uuid(): string {
    const hex = Array.from({ length: 32 }, () => this.integer(0, 15).toString(16));
    hex[12] = '4'; // version
    hex[16] = this.pick(['8', '9', 'a', 'b']); // variant
    return hex.join('').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }
}
