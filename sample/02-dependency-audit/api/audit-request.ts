import { z } from 'zod';

export const auditRequest = z.object({
  /** The client's own: asking again for the same audit changes nothing. */
  id: z.uuid(),
  /** A folder with node_modules in it. */
  root: z.string().min(1),
});

export type AuditRequest = z.output<typeof auditRequest>;
