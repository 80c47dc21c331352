import type { ComponentProps, ReactNode } from "react";
import { cn } from "@/lib/cn";

export function Card({ className, ...rest }: ComponentProps<"section">) {
  return <section className={cn("rounded-xl border border-line bg-card shadow-card", className)} {...rest} />;
}

export function CardHead({ title, aside, children }: { title: ReactNode; aside?: ReactNode; children?: ReactNode }) {
  return (
    <header className="flex items-start justify-between gap-3">
      <div className="min-w-0">
        <h2 className="text-sm font-semibold">{title}</h2>
        {children && <p className="mt-0.5 text-xs text-ink-3">{children}</p>}
      </div>
      {aside && <div className="shrink-0 text-xs text-ink-3">{aside}</div>}
    </header>
  );
}
