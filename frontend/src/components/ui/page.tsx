/** The head of a page: where one is, what it is, what can be done. */
import { ChevronRight } from "lucide-react";
import { Fragment, useEffect, type ReactNode } from "react";
import { Link } from "react-router";
import { cn } from "@/lib/cn";
import { t } from "@/lib/texts.en";

interface Head {
  title: string;
  under?: ReactNode;
  crumbs?: { to: string; name: string }[];
  aside?: ReactNode;
  actions?: ReactNode;
}

const NONE: NonNullable<Head["crumbs"]> = [];

export function PageHead({ title, under, crumbs = NONE, aside, actions }: Head) {
  useEffect(() => {
    document.title = `${title} · ${t.product}`;
  }, [title]);
  return (
    <header className="mb-6">
      <div className={cn("mb-3 flex min-h-5 items-center justify-between gap-4", crumbs.length === 0 && "hidden")}>
        <nav aria-label={t.breadcrumbs} className="flex min-w-0 items-center gap-2 text-xs text-ink-3">
          {crumbs.map(({ to, name }) => (
            <Fragment key={to}>
              <Link to={to} className="rounded hover:text-ink">
                {name}
              </Link>
              <ChevronRight aria-hidden className="size-3.5" />
            </Fragment>
          ))}
          {crumbs.length > 0 && (
            <span aria-current="page" className="truncate text-ink-2">
              {title}
            </span>
          )}
        </nav>
        {crumbs.length > 0 && aside}
      </div>
      <div className="flex flex-wrap items-end justify-between gap-x-6 gap-y-4">
        <div className="min-w-0">
          <h1 className="text-[22px] leading-7 font-semibold tracking-tight break-words">{title}</h1>
          {under && <div className="mt-1 flex flex-wrap items-center gap-x-2 gap-y-1 text-[13px] text-ink-2">{under}</div>}
        </div>
        {crumbs.length === 0 && !actions && aside}
        {actions && (
          <div className="flex flex-wrap items-center gap-x-4 gap-y-2 max-sm:w-full max-sm:flex-row-reverse max-sm:justify-between">
            {crumbs.length === 0 && aside}
            <div className="flex flex-wrap gap-2">{actions}</div>
          </div>
        )}
      </div>
    </header>
  );
}

/** Facts in one line, with a dot between them. */
export function Facts({ children }: { children: ReactNode[] }) {
  const shown = children.filter(Boolean);
  return shown.map((fact, place) => (
    <Fragment key={place}>
      {place > 0 && (
        <span aria-hidden className="text-ink-3">
          ·
        </span>
      )}
      <span>{fact}</span>
    </Fragment>
  ));
}
