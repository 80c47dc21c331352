/** A row of filters that are counts as well. */
import { cn } from "@/lib/cn";
import { count } from "@/lib/format";

export interface Filter<T extends string> {
  value: T;
  label: string;
  total?: number | null;
}

export function Filters<T extends string>({ label, filters, value, onChange }: { label: string; filters: Filter<T>[]; value: T; onChange: (value: T) => void }) {
  return (
    <div role="group" aria-label={label} className="flex flex-wrap gap-1.5">
      {filters.map((filter) => (
        <button
          key={filter.value}
          type="button"
          aria-pressed={filter.value === value}
          onClick={() => onChange(filter.value)}
          className={cn(
            "flex h-7.5 items-center gap-1.5 rounded-full border px-3 text-xs transition-colors",
            filter.value === value ? "border-primary bg-primary text-on-primary" : "border-line bg-card text-ink-2 hover:border-line-strong hover:text-ink",
          )}
        >
          {filter.label}
          {filter.total != null && <span className={filter.value === value ? "opacity-85" : "text-ink-3"}>{count(filter.total)}</span>}
        </button>
      ))}
    </div>
  );
}
