/** One update of one device as a timeline: when it was released, sent, begun and ended, and why each attempt failed. */
import type { DeviceUpdate } from "@/api/types";
import { DeviceState } from "@/components/ui/chips";
import { cn } from "@/lib/cn";
import { exactly, momentToSecond } from "@/lib/format";
import { t } from "@/lib/texts.en";
import { earlier, presentError, steps } from "../update";

export function UpdateSteps({ row, maxAttempts, paused }: { row: DeviceUpdate; maxAttempts?: number; paused?: boolean }) {
  const error = presentError(row);
  return (
    <div>
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1.5 text-[13px] text-ink-2">
        <DeviceState status={row.status} />
        {row.attempt > 0 ? t.sheet.attempt(row.attempt) + (maxAttempts ? t.sheet.failures(row.failures, maxAttempts) : "") : row.status === "SKIPPED" ? t.sheet.neverSent : t.sheet.notYet}
      </p>
      {(row.skip_reason || row.wait) && <p className="mt-2 text-[13px] text-ink-2">{row.skip_reason ? t.skipped[row.skip_reason] : row.wait && (paused ? t.waitPaused : t.wait)[row.wait]}</p>}
      {error && (
        <div className="mt-3 rounded-lg bg-failed-tint px-3 py-2.5 text-[13px] text-failed-text">
          <p className="font-medium">{t.reason(error.code)}</p>
          {error.message && <p className="mt-0.5 break-words">{t.sheet.said(error.message)}</p>}
        </div>
      )}
      <Moments row={row} />
      <Earlier row={row} />
    </div>
  );
}

function Moments({ row }: { row: DeviceUpdate }) {
  const all = steps(row);
  if (all.length === 0) return null;
  return (
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
  );
}

function Earlier({ row }: { row: DeviceUpdate }) {
  const attempts = earlier(row);
  if (attempts.length === 0) return null;
  return (
    <>
      <h4 className="mt-5 text-xs font-medium text-ink-2">{t.sheet.earlier(attempts.length)}</h4>
      <ol className="mt-2.5 space-y-3 border-l border-line pl-4 text-[13px]">
        {attempts.map((one) => (
          <li key={one.attempt} className="relative">
            <span aria-hidden className="absolute top-1.5 -left-[1.2rem] size-1.75 rounded-full bg-failed" />
            <div className="flex justify-between gap-4">
              <span>
                <span className="font-medium">{t.sheet.attempt(one.attempt)}</span> · {t.reason(one.error_code)}
              </span>
              <time dateTime={one.failed_at} title={exactly(one.failed_at)} className="shrink-0 text-ink-3">
                {momentToSecond(one.failed_at)}
              </time>
            </div>
            {one.error_message && <p className="mt-0.5 text-xs break-words text-ink-3">{t.sheet.said(one.error_message)}</p>}
          </li>
        ))}
      </ol>
    </>
  );
}
