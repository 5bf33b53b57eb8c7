import { statusName } from '../../../../lib/execution/execution-status.js';
import type { Invariant } from './invariant.js';

/** After convergence nothing is held: no execution unfinished, no row of a worker that is gone. */
export const locks: Invariant = {
  name: 'left behind',
  violations: ({ rest, livePids }) => [
    ...rest.runs.map(
      ({ execution, status, workerId }) =>
        `${execution} is still ${statusName(status)}${workerId === null ? '' : ` with worker ${workerId}`}`,
    ),
    ...rest.workers
      .filter(({ pid }) => !livePids.includes(pid))
      .map(({ id, pid }) => `worker ${id} is still registered, and its process ${pid} is gone`),
  ],
};

export const deadlocks: Invariant = {
  name: 'deadlocks',
  violations: ({ deadlocks: count }) =>
    count === 0 ? [] : [`Postgres reports ${count} deadlocks`],
};

/** No process ends that we did not end, and no rejection is left to Node. */
export const processes: Invariant = {
  name: 'processes',
  violations: ({ ends, rejections }) => [
    ...ends
      .filter(({ expected }) => !expected)
      .map(
        ({ pid, code, signal, lastWords }) =>
          `process ${pid} ended by itself (${signal ?? code}): ${lastWords.join(' | ')}`,
      ),
    ...rejections.map((rejection) => `unhandled rejection in ${rejection}`),
  ],
};
