import { z } from 'zod';
import { defineTask } from '../../../lib/index.js';

/** Audits one package of a tree of installed dependencies. */
export const auditPackage = defineTask({
  name: 'audit.package',
  payload: z.object({
    /** The audit that this belongs to. */
    audit: z.uuid(),
    /** The folder whose node_modules are audited. */
    root: z.string(),
    /** The package's own folder, below the root. */
    path: z.string(),
  }),
  returns: z.object({ package: z.string(), digest: z.string() }),
});
