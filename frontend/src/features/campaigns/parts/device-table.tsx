/** The campaign's devices, worst first; only the rows in sight exist, only the pages that were scrolled to are loaded. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { SearchX, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import type { Campaign, DeviceRow } from "@/api/types";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { DeviceState } from "@/components/ui/chips";
import { Filters } from "@/components/ui/filters";
import { SearchInput } from "@/components/ui/form";
import { Meter } from "@/components/ui/state-bar";
import { Empty, Failure, Skeleton } from "@/components/ui/states";
import { cn } from "@/lib/cn";
import { ago, exactly } from "@/lib/format";
import { useRested } from "@/lib/live/use-live";
import { LOOK, ORDER, type Status } from "@/lib/status";
import { t } from "@/lib/texts.en";
import { useRows } from "../queries";
import { eachOnce } from "../rows";
import type { Wait } from "../waits";

const ROW = 44;
const IN_SIGHT = 12;

interface Props {
  campaign: Campaign;
  now: number;
  only: Status | "";
  reason: string | null;
  wait: Wait | null;
  onFilter: (only: Status | "", reason: string | null) => void;
  onOpen: (deviceId: string) => void;
}

export function DeviceTable({ campaign, now, only, reason, wait, onFilter, onOpen }: Props) {
  const [search, setSearch] = useState("");
  const rested = useRested(search.trim());
  const counts = campaign.status_breakdown;
  const rows = useRows(campaign, only, rested, reason, wait);
  const all = eachOnce(rows.data?.pages.flatMap((page) => page.rows) ?? []);
  const filters = [{ value: "" as const, label: t.rows.all, total: campaign.total_devices }, ...ORDER.filter((status) => counts[status]).map((status) => ({ value: status, label: LOOK[status].word, total: counts[status] }))];
  const narrowed = reason ? t.reason(reason) : wait && t.rows.byWait[wait];
  const clear = () => {
    setSearch("");
    onFilter("", null);
  };
  return (
    <Card className="overflow-hidden">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-3 px-4 py-4 sm:px-5">
        <h2 className="text-sm font-semibold">{t.rows.title}</h2>
        <Filters label={t.rows.filters} filters={filters} value={only} onChange={(next) => onFilter(next, null)} />
        {narrowed && (
          <Button size="small" onClick={() => onFilter(only, null)}>
            {t.rows.byReason(narrowed)} <X aria-hidden />
          </Button>
        )}
        <SearchInput label={t.rows.search} value={search} onChange={(event) => setSearch(event.target.value)} className="ml-auto w-full sm:w-56" />
      </div>
      {rows.isPending ? (
        <div className="space-y-3 border-t border-line p-5">{Array.from({ length: 6 }, (_, place) => <Skeleton key={place} className="h-7" />)}</div>
      ) : rows.isError && all.length === 0 ? (
        <Failure error={rows.error} retry={() => void rows.refetch()} />
      ) : all.length === 0 ? (
        <Empty icon={SearchX} title={campaign.total_devices ? t.rows.noMatch : t.rows.none} action={campaign.total_devices > 0 && <Button onClick={clear}>{t.clearFilters}</Button>}>
          {campaign.total_devices > 0 && t.rows.noMatchHint}
        </Empty>
      ) : (
        <Rows key={`${only} ${rested} ${reason} ${wait}`} {...{ campaign, now, onOpen }} rows={all} more={rows.hasNextPage && !rows.isFetchingNextPage} loadMore={() => void rows.fetchNextPage()} />
      )}
    </Card>
  );
}

const COLUMNS = "grid grid-cols-[minmax(9rem,1.3fr)_8.5rem_10rem_7rem_5rem_minmax(10rem,2fr)_6rem] items-center gap-x-3 px-4 sm:px-5";

interface RowsProps extends Pick<Props, "campaign" | "now" | "onOpen"> {
  rows: DeviceRow[];
  more: boolean;
  loadMore: () => void;
}

function Rows({ campaign, now, rows, more, loadMore, onOpen }: RowsProps) {
  const box = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: () => ROW, overscan: 8 });
  const seen = virtual.getVirtualItems();
  const last = seen.at(-1)?.index ?? 0;
  useEffect(() => {
    if (more && last >= rows.length - 20) loadMore();
  }, [more, last, rows.length, loadMore]);
  const staged = campaign.stages.length > 1;
  return (
    <div ref={box} role="region" aria-label={t.rows.title} tabIndex={0} className="overflow-auto border-t border-line -outline-offset-2" style={{ maxHeight: ROW * IN_SIGHT + 36 }}>
      <div role="table" aria-label={t.rows.title} aria-rowcount={campaign.total_devices} className="min-w-245">
        <div role="rowgroup" className="sticky top-0 z-10 bg-sunken">
          <div role="row" className={cn(COLUMNS, "h-9 border-b border-line text-xs text-ink-2")}>
            {[t.rows.device, t.rows.state, t.rows.progress, staged ? t.rows.stage : "", t.rows.attempt, t.rows.reason, t.rows.heard].map((head) => (
              <span key={head || "none"} role="columnheader">
                {head || <span className="sr-only">{t.rows.stage}</span>}
              </span>
            ))}
          </div>
        </div>
        <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
          {seen.map(({ index, start }) => {
            const row = rows[index]!;
            return (
              <div
                key={row.device_id}
                role="row"
                aria-rowindex={index + 2}
                className={cn(COLUMNS, "absolute inset-x-0 border-b border-line text-[13px] transition-colors hover:bg-sunken")}
                style={{ height: ROW, transform: `translateY(${start}px)` }}
              >
                <Cells row={row} now={now} paused={campaign.status === "PAUSED"} stage={staged ? t.stageName(campaign.stages[row.stage]?.name ?? "") : ""} open={() => onOpen(row.device_id)} />
              </div>
            );
          })}
        </div>
      </div>
    </div>
  );
}

function Cells({ row, now, paused, stage, open }: { row: DeviceRow; now: number; paused: boolean; stage: string; open: () => void }) {
  const progress = row.status === "SUCCESS" ? 100 : row.progress_pct;
  const began = !["PENDING", "QUEUED", "SKIPPED"].includes(row.status);
  const reason = row.skip_reason ? t.skipped[row.skip_reason] : row.error_code && row.status !== "SUCCESS" ? t.reason(row.error_code) : row.wait ? (paused ? t.waitPaused : t.wait)[row.wait] : "";
  return (
    <>
      <span role="cell" className="min-w-0">
        <button type="button" onClick={open} className="block max-w-full truncate rounded font-mono after:absolute after:inset-0">
          {row.device_id}
        </button>
      </span>
      <span role="cell">
        <DeviceState status={row.status} />
      </span>
      <span role="cell" className="flex items-center gap-2.5 text-ink-2">
        {began && (
          <>
            <Meter part={progress / 100} color={LOOK[row.status].color} className="w-20" /> {progress} %
          </>
        )}
      </span>
      <span role="cell" className="truncate text-ink-2">
        {stage}
      </span>
      <span role="cell" className="text-ink-2">
        {row.attempt || "–"}
      </span>
      <span role="cell" className="truncate text-ink-2" title={row.error_message ?? reason}>
        {reason}
      </span>
      <span role="cell" className="text-ink-2" title={exactly(row.last_report_at)}>
        {ago(row.last_report_at, now)}
      </span>
    </>
  );
}
