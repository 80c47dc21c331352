/** Beside the chart: how far the abort rule is, and what went wrong. */
import type { Campaign } from "@/api/types";
import { Card, CardHead } from "@/components/ui/card";
import { cn } from "@/lib/cn";
import { count, devices, share } from "@/lib/format";
import { t } from "@/lib/texts.en";
import { abortStanding } from "../verdict";

export function AbortGauge({ campaign }: { campaign: Campaign }) {
  const { failed, of, at, way } = abortStanding(campaign);
  const stopped = campaign.status_reason?.code === "abort_ratio" || campaign.status_reason?.code === "abort_sequential";
  const [word, tone] = standing(campaign, stopped, way);
  // The line stands at 86 % of the width, so that what lies beyond it can be seen.
  const line = 86;
  const filled = stopped ? 100 : Math.min(100, way * line);
  const says =
    campaign.abort_rule === "sequential" ? t.gauge.sequential(campaign.abort_confidence, campaign.abort_threshold) : t.gauge.ratio(campaign.abort_threshold, campaign.abort_min_devices);
  return (
    <Card className="p-4 sm:p-5">
      <CardHead title={t.gauge.title}>{says}</CardHead>
      <div className="mt-4 flex items-baseline justify-between gap-3">
        <p>
          <span className="text-xl font-semibold">{of ? share(failed / of, 2) : "–"}</span> <span className="text-xs text-ink-2">{of ? t.gauge.soFar(campaign.abort_rule === "sequential") : t.gauge.nothingYet}</span>
        </p>
        <span className={cn("text-xs font-medium whitespace-nowrap", tone)}>{word}</span>
      </div>
      <div aria-hidden className="relative mt-3 h-2.5">
        <div className="absolute inset-0 overflow-hidden rounded-full bg-waiting">
          {at !== null && <div className="absolute inset-y-0 right-0" style={{ left: `${line}%`, background: "repeating-linear-gradient(135deg, var(--failed) 0 2px, transparent 2px 6px)", opacity: 0.75 }} />}
          <div className={cn("h-full rounded-full transition-[width] duration-200", way >= 0.8 || stopped ? "bg-failed" : "bg-success")} style={{ width: `${filled}%`, minWidth: failed ? 4 : 0 }} />
        </div>
        {at !== null && <div className="absolute -inset-y-0.5 w-0.5 bg-ink" style={{ left: `${line}%` }} />}
      </div>
      <div className="mt-2 flex flex-wrap justify-between gap-x-4 text-xs text-ink-2">
        <span>{t.gauge.of(failed, of)}</span>
        {at === null ? (
          <span>{t.gauge.never}</span>
        ) : (
          <span>
            {t.gauge.wouldAbort(at)[0]} <span className="font-medium text-ink">{t.gauge.wouldAbort(at)[1]}</span> {of > 0 && at <= of && `(${share(at / of, 2)})`}
          </span>
        )}
      </div>
    </Card>
  );
}

function standing(campaign: Campaign, stopped: boolean, way: number): [string, string] {
  if (stopped) return [t.gauge.stopped, "text-failed-text"];
  if (campaign.status === "COMPLETED" || campaign.status === "ABORTED") return [t.gauge.over, "text-ink-3"];
  if (way >= 0.8) return [t.gauge.close, "text-failed-text"];
  return way >= 0.5 ? [t.gauge.nearer, "text-ink-2"] : [t.gauge.far, "text-success-text"];
}

interface FailuresProps {
  reasons: { error_code: string; devices: number }[];
  title?: string;
  none?: string;
  chosen?: string | null;
  onChoose?: (reason: string | null) => void;
}

export function Failures({ reasons, title = t.failures.title, none = t.failures.none, chosen, onChoose }: FailuresProps) {
  const all = reasons.reduce((n, reason) => n + reason.devices, 0);
  const most = Math.max(1, ...reasons.map((reason) => reason.devices));
  return (
    <Card className="p-4 sm:p-5">
      <CardHead title={title} aside={all > 0 && devices(all)} />
      {all === 0 && <p className="mt-3 text-[13px] text-ink-3">{none}</p>}
      <ul className="mt-3 space-y-1">
        {reasons.map((reason) => (
          <li key={reason.error_code}>
            <Reason reason={reason} most={most} chosen={chosen === reason.error_code} onChoose={onChoose} />
          </li>
        ))}
      </ul>
    </Card>
  );
}

function Reason({ reason, most, chosen, onChoose }: { reason: FailuresProps["reasons"][number]; most: number; chosen: boolean; onChoose: FailuresProps["onChoose"] }) {
  const inside = (
    <>
      <span className="flex justify-between gap-3 text-[13px]">
        <span className="min-w-0 truncate">{t.reason(reason.error_code)}</span>
        <span className="font-medium">{count(reason.devices)}</span>
      </span>
      <span aria-hidden className="mt-1.5 block h-1 rounded-full bg-failed" style={{ width: `${Math.max(2, (100 * reason.devices) / most)}%` }} />
    </>
  );
  if (!onChoose) return <div className="py-1.5">{inside}</div>;
  return (
    <button
      type="button"
      aria-pressed={chosen}
      title={t.failures.filter(t.reason(reason.error_code))}
      onClick={() => onChoose(chosen ? null : reason.error_code)}
      className={cn("-mx-2 block w-[calc(100%+1rem)] rounded-lg px-2 py-1.5 text-left transition-colors hover:bg-neutral-tint", chosen && "bg-neutral-tint")}
    >
      {inside}
    </button>
  );
}

