import type { AppMessage } from './settings.js';

const opened = new Set<string>();
const waiting = new Map<string, (() => void)[]>();

/** Waits until the test opens it, in this process. */
export async function gate(name: string): Promise<void> {
  if (opened.has(name)) return;
  await new Promise<void>((resolve) => waiting.set(name, [...(waiting.get(name) ?? []), resolve]));
}

export function open(name: string): void {
  opened.add(name);
  for (const resolve of waiting.get(name) ?? []) resolve();
}

export function tell(message: AppMessage): void {
  if (process.connected) process.send!(message);
}
