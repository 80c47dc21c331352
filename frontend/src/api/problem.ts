/** What the server said when it refused, as an error that pages can show. */
import type { Problem } from "./types";

export interface FieldError {
  field: string;
  detail: string;
  code?: string;
  line?: number;
}

/** A refusal in the server's own words. `status` 0: no answer at all. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly code: string,
    readonly requestId: string | null,
    readonly fields: FieldError[],
    /** Errors in all, where the answer names only the first. */
    readonly fieldsTotal: number,
  ) {
    super(detail || title);
  }

  static of(status: number, body: unknown, requestId: string | null): Refusal {
    const problem: Partial<Problem> & { errors_total?: number } = typeof body === "object" && body ? body : {};
    const fields = (problem.errors ?? []) as FieldError[];
    return new Refusal(
      status,
      problem.title ?? "The server could not answer",
      problem.detail ?? `It answered with status ${status}.`,
      problem.code ?? "unknown",
      problem.request_id ?? requestId,
      fields,
      problem.errors_total ?? fields.length,
    );
  }

  static unreachable(): Refusal {
    return new Refusal(0, "The server does not answer", "The connection failed. Look at your network, then try again.", "unreachable", null, [], 0);
  }
}

export const asRefusal = (error: unknown): Refusal =>
  error instanceof Refusal ? error : new Refusal(0, "The console has a fault", error instanceof Error ? error.message : String(error), "console_fault", null, [], 0);
