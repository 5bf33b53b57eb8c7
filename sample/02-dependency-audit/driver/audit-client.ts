import type { AuditRequest } from '../api/audit-request.js';
import type { AuditAccepted, AuditProgress, AuditReport } from '../api/audit-views.js';

const ANSWER_WITHIN_MS = 20_000;

/** Talks to the API as any client would: over HTTP. */
export class AuditClient {
  constructor(private readonly url: string) {}

  begin(request: AuditRequest): Promise<AuditAccepted> {
    return this.ask<AuditAccepted>('/audits', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    });
  }

  progress(id: string): Promise<AuditProgress> {
    return this.ask<AuditProgress>(`/audits/${id}`);
  }

  report(id: string): Promise<AuditReport> {
    return this.ask<AuditReport>(`/audits/${id}/report`);
  }

  private async ask<T>(path: string, init: RequestInit = {}): Promise<T> {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const response = await fetch(new URL(path, this.url), { ...init, signal });
    if (response.ok) return (await response.json()) as T;
    const request = `${init.method ?? 'GET'} ${path}`;
    throw new Error(`${request} was answered ${response.status}: ${await response.text()}`);
  }
}
