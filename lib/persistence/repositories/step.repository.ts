import type { WriteReport } from '../../execution/outcome.js';
import type { RecordWrite } from '../../execution/step-record.js';
import type { Database } from '../database.js';
import { saveSteps } from '../sql/save-steps.js';
import { writeReports } from './execution.repository.js';
import { recordColumns } from './record-columns.js';

export interface RecordItem {
  id: string;
  token: string;
  records: RecordWrite[];
}

const severity: WriteReport[] = ['applied', 'duplicate', 'busy', 'lost'];

/** Writes what handlers are given, in sets of many executions. */
export class StepRepository {
  constructor(private readonly database: Database) {}

  /** One report an item: the worst of its records. Records of an item are locked together, so `lost` and `busy` hold for
   *  all of them. */
  async save(items: RecordItem[], goOn: () => boolean): Promise<WriteReport[]> {
    const rows = await this.database.statement.persist<{ ordinal: number; report: number }>(
      saveSteps.call(this.database.schema),
      recordColumns(items),
      goOn,
    );
    const reports = items.map((): WriteReport => 'applied');
    const itemOf = items.flatMap((item, index) => item.records.map(() => index));
    for (const row of rows) {
      const index = itemOf[row.ordinal - 1]!;
      const report = writeReports[row.report]!;
      if (severity.indexOf(report) > severity.indexOf(reports[index]!)) reports[index] = report;
    }
    return reports;
  }
}
