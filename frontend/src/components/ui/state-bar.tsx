/** A campaign's devices as one bar, by state, in the order that is the same everywhere. */
import { cn } from "@/lib/cn";
import { LOOK, ORDER, updatable, type Counts } from "@/lib/status";
import { t } from "@/lib/texts.en";

const SHOWN = ORDER.filter((status) => status !== "PENDING" && status !== "SKIPPED");

export function StateBar({ counts, total = updatable(counts), className }: { counts: Counts; total?: number; className?: string }) {
  const words = ORDER.filter((status) => counts[status]).map((status) => `${LOOK[status].word} ${counts[status]}`);
  return (
    <div role="img" aria-label={words.join(", ") || t.noDevices} className={cn("flex h-2.5 gap-px overflow-hidden rounded-full bg-waiting", className)}>
      {SHOWN.filter((status) => counts[status] && total).map((status) => (
        <span
          key={status}
          className="transition-[width] duration-200"
          style={{ width: `${(100 * counts[status]!) / total}%`, minWidth: 3, background: LOOK[status].color }}
        />
      ))}
    </div>
  );
}

export function Meter({ part, color = "var(--success)", className }: { part: number; color?: string; className?: string }) {
  return (
    <div aria-hidden className={cn("h-1.5 overflow-hidden rounded-full bg-waiting", className)}>
      <div className="h-full rounded-full transition-[width] duration-200" style={{ width: `${100 * Math.min(1, Math.max(0, part))}%`, background: color }} />
    </div>
  );
}
