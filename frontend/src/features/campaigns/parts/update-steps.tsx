/** One update of one device as a timeline: when it was released, sent, begun and ended, and why it failed. */
import type { DeviceRow } from "@/api/types";
import { DeviceState } from "@/components/ui/chips";
import { cn } from "@/lib/cn";
import { exactly, momentToSecond } from "@/lib/format";
import { LOOK } from "@/lib/status";
import { t } from "@/lib/texts.en";

/** The row's moments in the order in which they happened. */
export function steps(row: DeviceRow): { at: string; word: string; due?: boolean }[] {
  const { steps: words } = t.sheet;
  const all: [string | null, string, boolean?][] = [
    [row.queued_at, words.queued],
    [row.dispatched_at, words.dispatched],
    [row.started_at, words.started],
    [row.completed_at ? null : row.last_report_at, words.reported],
    [row.completed_at, `${words.completed}: ${LOOK[row.status].word}`],
    [row.status === "PENDING" && row.wait ? row.next_attempt_at : null, words.next, true],
  ];
  return all.flatMap(([at, word, due]) => (at ? [{ at, word, ...(due && { due }) }] : [])).toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

export function UpdateSteps({ row, maxAttempts }: { row: DeviceRow; maxAttempts?: number }) {
  const all = steps(row);
  return (
    <div>
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1.5 text-[13px] text-ink-2">
        <DeviceState status={row.status} />
        {row.attempt > 0 ? t.sheet.attempt(row.attempt, maxAttempts && Math.max(maxAttempts, row.attempt)) : t.sheet.notYet}
        {row.failures > 0 && <span className="text-failed-text">{t.sheet.failedBefore(row.failures)}</span>}
      </p>
      {(row.skip_reason || row.wait) && <p className="mt-2 text-[13px] text-ink-2">{row.skip_reason ? t.skipped[row.skip_reason] : row.wait && t.wait[row.wait]}</p>}
      {row.error_code && (
        <div className="mt-3 rounded-lg bg-failed-tint px-3 py-2.5 text-[13px] text-failed-text">
          <p className="font-medium">{t.reason(row.error_code)}</p>
          {row.error_message && (
            <p className="mt-0.5 break-words">
              {t.sheet.saidByDevice}: “{row.error_message}”
            </p>
          )}
        </div>
      )}
      {all.length > 0 && (
        <ol className="mt-4 space-y-2.5 border-l border-line pl-4 text-[13px]">
          {all.map((step) => (
            <li key={step.word} className="relative flex justify-between gap-4">
              <span aria-hidden className={cn("absolute top-1.5 -left-[1.2rem] size-1.75 rounded-full", step.due ? "border border-ink-3 bg-card" : "bg-ink-3")} />
              {step.word}
              <time dateTime={step.at} title={exactly(step.at)} className="text-ink-3">
                {momentToSecond(step.at)}
              </time>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}
