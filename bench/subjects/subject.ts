/** One piece of work. */
export interface Job {
  /** Its place among the jobs of a round: each must be done exactly once. */
  n: number;
  /** When it was asked for, by `now()`. */
  at?: number;
  /** How many memoized steps its handler takes, where the work is `steps`. */
  steps?: number;
}

/** `noop`: a handler that only notes that it ran. `steps`: one that takes `job.steps` memoized steps, one after the other.
 *  `replay`: the same, then it is put away and taken up again, and notes what its second way through those steps cost. */
export type Work = 'noop' | 'steps' | 'replay';

/** What a handler calls when it runs, with what it has measured itself. */
export type Handle = (job: Job, notes?: Record<string, number>) => void;

/** Where a subject works. */
export interface Place {
  /** A database of its own. */
  postgres: string;
  /** Port of a Redis of its own, for a subject that needs one. */
  redis?: number;
}

/** One of the systems that are compared, as its own documentation says that it is fastest. Lives in a process of its own. */
export interface Subject {
  /** Connects and installs what is needed; nothing is worked on yet. */
  open(place: Place): Promise<void>;
  /** Accepts all of these jobs; once it resolves they are durable. */
  enqueue(work: Work, jobs: Job[]): Promise<void>;
  /** Accepts one job; once it resolves it is durable. */
  invoke(work: Work, job: Job): Promise<void>;
  /** Begins to work, in this process. Can be called again after `stop`. */
  start(handle: Handle): Promise<void>;
  stop(): Promise<void>;
  /** Whether every accepted job has ended, durably. */
  isDrained(): Promise<boolean>;
  /** How many jobs were accepted, by what is stored. */
  accepted?(): Promise<number>;
  /** How many jobs have ended well, by what is stored, where that is kept. */
  completed?(): Promise<number>;
  close(): Promise<void>;
}

/** Something that makes a subject as good as it gets, or a default that was kept on purpose. */
export interface Setting {
  name: string;
  value: string;
  why: string;
}

/** What is exported by each module of this folder. */
export interface SubjectModule {
  settings: Setting[];
  create: (options: SubjectOptions) => Subject;
}

export interface SubjectOptions {
  /** Handlers at once, where a scenario asks for a number. */
  concurrency?: number;
  /** What it is set up for, where that is not the same. Default: throughput. */
  tuned?: 'throughput' | 'latency';
  /** Whether a commit waits for the disk. Default: yes. */
  durable?: false;
}
