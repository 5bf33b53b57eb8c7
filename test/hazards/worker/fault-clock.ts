import { systemClock, type Clock } from '../../../lib/common/clock.js';
import type { FaultPoint } from '../../../lib/conductor.fault-points.js';
import { FAULT_EXIT, type WorkerFaults } from './settings.js';
import { tell } from './tell.js';

/** The system's clock, and the faults that this process is to meet. */
export function clockWithFaults({ exitAt, losesReplyAt }: WorkerFaults): Clock {
  const times = new Map<FaultPoint, number>();
  return {
    ...systemClock,
    reach(point) {
      const time = (times.get(point) ?? 0) + 1;
      times.set(point, time);
      if (point === exitAt?.point && time === exitAt.time) process.exit(FAULT_EXIT);
      tell({ type: 'reached', point });
      if (point === losesReplyAt && time === 1) throw new Error('The reply was lost on purpose.');
    },
  };
}
