const PAUSE_MS = 10;

/** Waits for something to become true, by asking again: for what gives no event, as a row of another process. The bound only
 *  ends a test that has failed already. */
export async function until<T>(
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  boundMs = 20_000,
): Promise<T> {
  const end = Date.now() + boundMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > end)
      throw new Error(`Waited ${boundMs} ms for what never came: ${ask.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
