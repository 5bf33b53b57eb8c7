type Unit = 'ms' | 's' | 'm' | 'h' | 'd' | 'w';

/** A length of time: a number of milliseconds, or a number with a unit such as `'250ms'`, `'1.5s'`, `'10m'`, `'7d'`. */
export type Duration = number | `${number}${Unit}`;
