/** A worker of crew.ts: runs one schedule after the other. */
import { parentPort } from 'node:worker_threads'
import { runSchedule } from './run.ts'
import type { Schedule } from '../faults/schedule.ts'

export interface Task {
  readonly schedule: Schedule
  readonly onTheWire: boolean
}

parentPort?.on('message', ({ schedule, onTheWire }: Task) =>
  parentPort?.postMessage(runSchedule(schedule, { onTheWire })),
)
